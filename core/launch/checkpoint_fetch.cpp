// SPDX-License-Identifier: MIT
#include "core/launch/checkpoint_fetch.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/progress.h"
#include "core/launch/lone_process.h"
#include "core/launch/piped_process.h"

namespace tessera {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {
constexpr std::size_t kFetchPart = 1u << 20;
constexpr const char *kOfferFile = "offer.json", *kFetchPrefix = ".fetch-";
constexpr const char* kManifestOfCheckpoint = "manifest.json";
constexpr const char* kPinnedHere =
    "pinned";  // keeps it from being removed there: not a part of it

bool is_file_name(const std::string& name) {
  return !name.empty() && name[0] != '.' && name.find('/') == name.npos &&
         name.find('\0') == name.npos && name != kOfferFile && name != kPinnedHere;
}

bool is_checkpoint_name(const std::string& name) {
  constexpr std::string_view kBegin = "step-";
  return name.starts_with(kBegin) && name.size() > kBegin.size() && name.size() < 40 &&
         name.find_first_not_of("0123456789", kBegin.size()) == name.npos;
}

std::string offer_line(const CheckpointOffer& offer) {
  json files = json::array();
  for (const auto& file : offer.files)
    files.push_back({{"name", file.name}, {"bytes", file.bytes}});
  const json o{{"checkpoint", offer.name}, {"manifest", offer.manifest}, {"files", files}};
  return o.dump() + "\n";
}

CheckpointOffer offer_of(const std::string& line) {
  try {
    const json o = json::parse(line);
    CheckpointOffer offer;
    offer.name = o.at("checkpoint");
    offer.manifest = o.at("manifest");
    for (const json& file : o.at("files")) {
      offer.files.push_back({file.at("name"), file.at("bytes")});
    }
    const bool named = is_checkpoint_name(offer.name) &&
                       std::all_of(offer.files.begin(), offer.files.end(),
                                   [](const auto& file) { return is_file_name(file.name); });
    if (!named) throw Error("fetch", "the host offers files whose names are none of a checkpoint");
    return offer;
  } catch (const json::exception& problem) {
    throw Error("fetch", fmt::format("what the host offers is not understood: {}", problem.what()));
  }
}

void write_whole(int to, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(to, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      throw Error("fetch", fmt::format("nobody takes the bytes: {}", std::strerror(errno)));
    }
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

std::string read_line_from(int in) {
  std::string line;
  for (char c = 0; c != '\n' && line.size() < (1u << 22);) {
    const ssize_t count = ::read(in, &c, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) throw Error("fetch", "the desk is gone");
    line += c;
  }
  return line;
}

void send_file(const fs::path& path, std::uint64_t from, std::uint64_t to, int out) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) throw Error(path.string(), fmt::format("cannot be read: {}", std::strerror(errno)));
  std::string part(kFetchPart, '\0');
  try {
    while (from < to) {
      const std::size_t most = std::min<std::uint64_t>(part.size(), to - from);
      const ssize_t count = ::pread(file, part.data(), most, static_cast<off_t>(from));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) throw Error(path.string(), "has become shorter while it was sent");
      write_whole(out, std::string_view(part).substr(0, static_cast<std::size_t>(count)));
      from += static_cast<std::uint64_t>(count);
    }
  } catch (...) {
    ::close(file);
    throw;
  }
  ::close(file);
}

std::string chosen_checkpoint(const std::vector<std::string>& names, const std::string& wanted) {
  if (names.empty()) {
    throw Error("checkpoint", "the run has none yet", "`tessera control save RUN` makes one");
  }
  if (wanted == "newest") return names.back();
  const std::string name = wanted.starts_with("step-") ? wanted : "step-" + wanted;
  if (std::find(names.begin(), names.end(), name) != names.end()) return name;
  throw Error("checkpoint", fmt::format("the run has no whole {}", name),
              fmt::format("it has {}", fmt::join(names, ", ")));
}

/// The near end: one folder that fills.
class Fetch {
 public:
  Fetch(Ssh& ssh, const MirrorNote& source, fs::path checkpoints, std::string wanted,
        const FetchOptions& options)
      : ssh_(ssh),
        source_(source),
        checkpoints_(std::move(checkpoints)),
        wanted_(std::move(wanted)),
        options_(options) {}

  fs::path run() {
    for (int tries = 0; !is_set(options_.stop);) {
      const std::uint64_t before = received_;
      const std::string trouble = try_once();
      if (trouble.empty()) return publish();
      if (received_ > before) tries = 0;
      if (++tries > options_.most_tries) {
        throw Error("host " + source_.host, trouble,
                    "what has come is kept: the same command goes on from there");
      }
      if (options_.note) {
        options_.note(
            fmt::format("the line to {} is broken ({}); it is tried again, from where it "
                        "stopped",
                        source_.host, trouble));
      }
      pause(std::min(options_.longest_pause_s, 1.0 * (1 << std::min(tries - 1, 6))));
      ssh_.forget(source_.host);
    }
    throw Error("fetch", "was stopped", "what has come is kept: the same command goes on");
  }

 private:
  using FetchClock = std::chrono::steady_clock;

  /// One line, as far as it goes; why it did not go to the end.
  std::string try_once() {
    std::vector<std::string> words = {"agent", "send", source_.run, "--checkpoint", wanted_};
    if (!source_.runs.empty()) words.insert(words.end(), {"--folder", source_.runs});
    PipedProcess line(ssh_.line(source_.host, RemoteProgram{source_.program}.command(words)));
    HostAnswer answer;
    heard_ = FetchClock::now();
    std::string text;
    bool offered = false;
    while (!is_set(options_.stop)) {
      const auto ended = line.poll();
      const std::size_t had = text.size() + answer.errors.size();
      line.exchange(text, answer.errors);
      if (text.size() + answer.errors.size() > had) heard_ = FetchClock::now();
      if (!offered) offered = take_offer(text, line);
      if (offered && already_here_) return {};
      if (offered) take_bytes(text);
      if (offered && is_complete()) return {};
      if (ended) {
        answer.wait_status = *ended;
        return trouble_of(answer, offered);
      }
      if (seconds_since_heard() > options_.silence_s) return "it is silent";
      wait_for_any({&line}, 100);
    }
    return "stopped";
  }

  /// A refusal of the host is thrown, a line that fails is told. What fails behind the offer is
  /// tried again: the host offers something else then where its checkpoint has changed.
  std::string trouble_of(const HostAnswer& answer, bool offered) const {
    if (answer.wait_status == 0) return "it has ended too early";
    try {
      require_answer(source_.host, answer);
    } catch (const Error& error) {
      const auto says = [&](const char* text) {
        return answer.errors.find(text) != std::string::npos;
      };
      const bool refuses = says("tessera: [") || says(RemoteProgram::kMissingText);
      if (!offered && (refuses || !offer_)) throw;
      return error.what_failed();
    }
    return "it has ended too early";
  }

  bool take_offer(std::string& text, PipedProcess& line) {
    while (true) {
      const std::size_t end = text.find('\n');
      if (end == text.npos) return false;
      const std::string first = text.substr(0, end);
      text.erase(0, end + 1);
      if (!first.starts_with('{')) continue;  // a login shell that greets
      const CheckpointOffer offer = offer_of(first);
      if (offer_ && *offer_ != offer) {
        throw Error("fetch", fmt::format("{} is another checkpoint there by now", offer.name),
                    "the same command fetches it as it is now");
      }
      offer_ = offer;
      wanted_ = offer.name;  // a newer one may come meanwhile
      already_here_ = is_here();
      if (already_here_) return true;
      begin();
      json have = json::array();
      for (const auto& file : offer.files) have.push_back(size_of(staged() / file.name));
      line.write(json{{"have", have}}.dump() + "\n");
      return true;
    }
  }

  fs::path staged() const { return checkpoints_ / (kFetchPrefix + offer_->name); }

  static std::uint64_t size_of(const fs::path& path) {
    std::error_code error;
    const auto size = fs::file_size(path, error);
    return error ? 0 : size;
  }

  bool is_here() const {
    const fs::path target = checkpoints_ / offer_->name, manifest = target / kManifestOfCheckpoint;
    std::error_code error;
    return fs::exists(manifest, error) && read_file(manifest) == offer_->manifest &&
           damage_of(target).empty();
  }

  std::string damage_of(const fs::path& folder) const {
    for (const auto& file : offer_->files) {
      if (size_of(folder / file.name) != file.bytes) return file.name + " has another size";
    }
    if (read_file(folder / kManifestOfCheckpoint) != offer_->manifest) {
      return "its manifest is another one";
    }
    return options_.check ? options_.check(folder) : std::string();
  }

  /// Goes on with what an earlier fetch left, if that was of the same checkpoint.
  void begin() {
    const fs::path folder = staged();
    const std::string line = offer_line(*offer_);
    std::error_code error;
    if (fs::exists(folder / kOfferFile) && read_file(folder / kOfferFile) != line) {
      fs::remove_all(folder, error);
    }
    fs::create_directories(folder, error);
    if (error) throw Error(folder.string(), "cannot be made: " + error.message());
    write_file_atomically(folder / kOfferFile, line);
    at_ = 0;
    done_ = 0;
    for (const auto& file : offer_->files) {
      // A size that is beyond what was offered is none of this checkpoint's.
      if (size_of(folder / file.name) > file.bytes) fs::remove(folder / file.name, error);
      done_ += size_of(folder / file.name);
    }
  }

  void take_bytes(std::string& text) {
    while (at_ < offer_->files.size()) {
      const auto& file = offer_->files[at_];
      const fs::path path = staged() / file.name;
      const std::uint64_t have = size_of(path);
      const std::size_t count = std::min<std::uint64_t>(file.bytes - have, text.size());
      if (count > 0 || !fs::exists(path)) append(path, std::string_view(text).substr(0, count));
      text.erase(0, count);
      received_ += count;
      done_ += count;
      if (have + count < file.bytes) break;
      ++at_;
    }
    if (options_.progress) options_.progress(done_, offer_->bytes());
  }

  static void append(const fs::path& path, std::string_view bytes) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    std::string trouble = file < 0 ? std::strerror(errno) : "";
    while (trouble.empty() && !bytes.empty()) {
      const ssize_t count = ::write(file, bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) trouble = std::strerror(errno);
      if (count > 0) bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    if (file >= 0) ::close(file);
    if (trouble.empty()) return;
    throw Error(path.string(), "cannot be written: " + trouble,
                "free some space on this disk: the same command goes on from there");
  }

  bool is_complete() const { return at_ == offer_->files.size(); }

  fs::path publish() {
    const fs::path folder = staged(), target = checkpoints_ / offer_->name;
    if (already_here_) return target;
    fs::remove(folder / kOfferFile);
    const std::string damage = damage_of(folder);
    if (!damage.empty()) {
      fs::remove_all(folder);
      throw Error(offer_->name, fmt::format("did not come as it was written: {}", damage),
                  fmt::format("fetch it again; where that does not help, it is damaged on {}",
                              source_.host));
    }
    for (const auto& file : offer_->files) sync_file(folder / file.name);
    sync_folder(folder);
    std::error_code error;
    fs::remove_all(target, error);  // one of the same name that was another checkpoint
    fs::rename(folder, target, error);
    if (error) throw Error(target.string(), "cannot be made: " + error.message());
    sync_folder(checkpoints_);
    return target;
  }

  static void sync_file(const fs::path& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    const bool good = file >= 0 && ::fsync(file) == 0;
    const int error = errno;
    if (file >= 0) ::close(file);
    if (!good) throw Error(path.string(), fmt::format("is not on disk: {}", std::strerror(error)));
  }

  double seconds_since_heard() const {
    return std::chrono::duration<double>(FetchClock::now() - heard_).count();
  }

  void pause(double seconds) const {
    const auto until = FetchClock::now() + std::chrono::duration<double>(seconds);
    while (FetchClock::now() < until && !is_set(options_.stop)) wait_for_any({}, 50);
  }

  Ssh& ssh_;
  const MirrorNote& source_;
  fs::path checkpoints_;
  std::string wanted_;
  const FetchOptions& options_;
  std::optional<CheckpointOffer> offer_;
  bool already_here_ = false;
  std::size_t at_ = 0;                     ///< the file that fills
  std::uint64_t received_ = 0, done_ = 0;  ///< over these lines; of the checkpoint
  FetchClock::time_point heard_ = FetchClock::now();
};
}  // namespace

std::uint64_t CheckpointOffer::bytes() const {
  std::uint64_t sum = 0;
  for (const File& file : files) sum += file.bytes;
  return sum;
}

void send_checkpoint(const fs::path& checkpoints, const std::vector<std::string>& names,
                     const std::string& wanted, int in, int out) {
  CheckpointOffer offer;
  offer.name = chosen_checkpoint(names, wanted);
  const fs::path folder = checkpoints / offer.name;
  offer.manifest = read_file(folder / kManifestOfCheckpoint);
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_regular_file() && is_file_name(name)) {
      offer.files.push_back({name, entry.file_size()});
    }
  }
  std::sort(offer.files.begin(), offer.files.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  write_whole(out, offer_line(offer));
  const json have = json::parse(read_line_from(in), nullptr, false);
  if (!have.is_object() || !have.contains("have") || have["have"].size() != offer.files.size()) {
    throw Error("fetch", "what the desk says that it has is not understood");
  }
  for (std::size_t i = 0; i < offer.files.size(); ++i) {
    const auto& file = offer.files[i];
    send_file(folder / file.name, have["have"][i].get<std::uint64_t>(), file.bytes, out);
  }
}

fs::path fetch_checkpoint(Ssh& ssh, const MirrorNote& source, const fs::path& mirror,
                          const std::string& wanted, const FetchOptions& options) {
  const fs::path checkpoints = mirror / "checkpoints";
  std::error_code error;
  fs::create_directories(checkpoints, error);
  if (error) throw Error(checkpoints.string(), "cannot be made: " + error.message());
  const LoneProcess alone(checkpoints / ".fetch.lock");
  if (!alone.held()) {
    throw Error(mirror.filename().string(), "gets a checkpoint from another command already",
                "wait for that one to end");
  }
  Fetch fetch(ssh, source, checkpoints, wanted, options);
  return fetch.run();
}

}  // namespace tessera
