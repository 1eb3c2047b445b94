// SPDX-License-Identifier: MIT
// The event log on arbitrary bytes. The first byte chooses: the rest is a log as it lies on the
// disk, one payload, or payloads in sound frames.
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/events/events.h"

namespace {

using namespace tessera;

void expect(bool sound) {
  if (!sound) std::abort();
}

/// A file in memory, by path.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view bytes) : file_(::memfd_create("events", MFD_CLOEXEC)) {
    expect(::write(file_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }
  ~MemoryFile() { ::close(file_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  std::string path() const { return "/proc/self/fd/" + std::to_string(file_); }

 private:
  int file_;
};

void expect_rising(const std::vector<RawFrame>& frames) {
  for (std::size_t i = 1; i < frames.size(); ++i) {
    expect(frames[i - 1].sequence < frames[i].sequence);
  }
}

/// What could be read before a writer comes can be read after it, and its event too.
void check_log(std::string_view bytes) {
  const MemoryFile file(bytes);
  std::vector<RawFrame> frames;
  try {
    EventReader reader(file.path());
    frames = reader.poll_raw();
    EventReader(file.path()).poll();
  } catch (const Error&) {
    return;  // no event log
  }
  expect_rising(frames);
  {
    EventWriter writer(file.path());
    expect(writer.last_sequence() == (frames.empty() ? 0 : frames.back().sequence));
    if (writer.last_sequence() > UINT64_MAX - 2) return;
    writer.append(MessageEvent{"info", "after", 0});
  }
  EventReader reader(file.path());
  const std::vector<RawFrame> after = reader.poll_raw();
  expect(after.size() == frames.size() + 1);
  expect(reader.pending_bytes() == 0);
  for (std::size_t i = 0; i < frames.size(); ++i) expect(after[i].payload == frames[i].payload);

  EventReader seeking(file.path());
  seeking.seek_offset(bytes.size() / 2);
  expect_rising(seeking.poll_raw());
  seeking.seek_sequence(after.back().sequence);
  expect(!seeking.poll_raw().empty());
}

/// An event that can be decoded is the same after CBOR and after JSON.
void check_payload(std::string_view payload) {
  try {
    const Event event = decode_payload(1, payload);
    if (std::holds_alternative<UnknownEvent>(event.body)) return;
    const std::string once = encode_payload(event.time, event.body);
    const Event again = decode_payload(1, once);
    expect(encode_payload(again.time, again.body) == once);
    expect(kind_of_payload(once) == kind_of(event.body));
    if (std::isfinite(event.time)) event_from_json(nlohmann::json::parse(to_json_line(event)));
  } catch (const Error&) {
    // What bad payloads are for.
  }
}

void check_frames(std::string_view bytes) {
  const MemoryFile file({});
  std::vector<std::string> payloads;
  {
    EventWriter writer(file.path());
    while (!bytes.empty()) {
      const auto end = bytes.find('\xfe');  // not used by CBOR
      payloads.emplace_back(bytes.substr(0, end));
      // Other frames than maps are not looked for.
      payloads.back().insert(payloads.back().begin(), '\xbf');
      writer.append_raw({payloads.size() * 3, payloads.back()});
      bytes.remove_prefix(end == bytes.npos ? bytes.size() : end + 1);
    }
  }
  EventReader raw(file.path());
  const std::vector<RawFrame> frames = raw.poll_raw();
  expect(frames.size() == payloads.size());
  for (std::size_t i = 0; i < frames.size(); ++i) expect(frames[i].payload == payloads[i]);
  EventReader decoding(file.path());
  const std::size_t decoded = decoding.poll().size();
  // Numbers have gaps here, which count as lost; so does every payload that is no event.
  expect(decoded + decoding.damage().size() >= payloads.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  log::set_console_level(log::Level::Error);
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      check_log(rest);
      break;
    case 1:
      check_payload(rest);
      break;
    default:
      check_frames(rest);
      break;
  }
  return 0;
}
