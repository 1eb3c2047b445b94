// SPDX-License-Identifier: MIT
#include "core/data/shard.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/files.h"

namespace tessera::data {

namespace {

static_assert(std::endian::native == std::endian::little, "shards are little endian");

constexpr char kMagic[8] = {'T', 'S', 'S', 'H', 'A', 'R', 'D', '\n'};
constexpr std::uint32_t kVersion = 1;

struct Head {
  char magic[8];
  std::uint32_t version, json_bytes;
  std::uint64_t json_hash;
};
static_assert(sizeof(Head) == 24);

constexpr const char* kRebuild =
    "build the data again: remove the folder, then `tessera data build`";

std::uint64_t round_up(std::uint64_t value, std::uint64_t step) {
  return (value + step - 1) / step * step;
}

std::string hex(std::uint64_t value) {
  return fmt::format("{:016x}", value);
}

}  // namespace

std::shared_ptr<const Shard> Shard::open(const std::filesystem::path& path, bool verify_tokens) {
  std::shared_ptr<Shard> shard(new Shard);
  shard->path_ = path;
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0)
    throw Error(path.string(), fmt::format("cannot open the shard: {}", std::strerror(errno)),
                kRebuild);
  struct stat status {};
  const bool known = ::fstat(file, &status) == 0;
  const auto bytes = known ? static_cast<std::size_t>(status.st_size) : 0;
  void* base = bytes > 0 ? ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file, 0) : MAP_FAILED;
  ::close(file);
  if (base == MAP_FAILED)
    throw Error(path.string(), bytes == 0 ? "the shard is empty" : "cannot map the shard",
                kRebuild);
  shard->base_ = static_cast<const std::byte*>(base);
  shard->bytes_ = bytes;
  shard->parse();
  const std::byte* end = shard->base_ + bytes;
  if (verify_tokens &&
      hex(XXH3_64bits(shard->tokens_, static_cast<std::size_t>(end - shard->tokens_))) !=
          shard->info_.payload_hash)
    throw Error(path.string(), "the tokens do not match their hash: the shard is damaged",
                kRebuild);
  return shard;
}

Shard::~Shard() {
  if (base_) ::munmap(const_cast<std::byte*>(base_), bytes_);
}

void Shard::parse() {
  const auto fail = [&](const std::string& what) { throw Error(path_.string(), what, kRebuild); };
  Head head{};
  if (bytes_ < sizeof head) fail("not a token shard: too short");
  std::memcpy(&head, base_, sizeof head);
  if (std::memcmp(head.magic, kMagic, sizeof kMagic) != 0) fail("not a token shard");
  if (head.version != kVersion)
    throw Error(path_.string(),
                fmt::format("shard of version {}, this program reads {}", head.version, kVersion),
                "use the version of Tessera that wrote it, or build the data again");
  const char* json = reinterpret_cast<const char*>(base_) + sizeof head;
  if (bytes_ - sizeof head < head.json_bytes ||
      XXH3_64bits(json, head.json_bytes) != head.json_hash)
    fail("the header of the shard is damaged");
  try {
    const auto value = nlohmann::json::parse(json, json + head.json_bytes);
    info_.documents = value.at("documents");
    info_.tokens = value.at("tokens");
    info_.vocab_size = value.at("vocab_size");
    info_.tokenizer = value.at("tokenizer");
    info_.source = value.at("source");
    info_.split = value.at("split");
    info_.payload_hash = value.at("payload_hash");
  } catch (const nlohmann::json::exception& error) {
    fail(fmt::format("the header of the shard is malformed: {}", error.what()));
  }
  // Counts beyond 2^48 could overflow below; no file is so large.
  constexpr std::int64_t kMost = std::int64_t{1} << 48;
  if (info_.documents < 0 || info_.documents > kMost || info_.tokens < 0 || info_.tokens > kMost ||
      info_.vocab_size <= 0)
    fail("the header of the shard is malformed");
  const std::uint64_t start = round_up(sizeof head + head.json_bytes, 64);
  const auto token_bytes = static_cast<std::uint64_t>(info_.tokens * info_.token_bytes());
  const std::uint64_t index = round_up(start + token_bytes, 8);
  const std::uint64_t expected = index + 8 * (static_cast<std::uint64_t>(info_.documents) + 1);
  if (bytes_ != expected)
    fail(fmt::format("the shard has {} bytes instead of {}: it is cut off", bytes_, expected));
  tokens_ = base_ + start;
  offsets_ = reinterpret_cast<const std::uint64_t*>(base_ + index);
  const auto last = static_cast<std::size_t>(info_.documents);
  bool ordered = offsets_[0] == 0 && offsets_[last] == static_cast<std::uint64_t>(info_.tokens);
  for (std::size_t at = 0; at < last; ++at) ordered = ordered && offsets_[at] <= offsets_[at + 1];
  if (!ordered) fail("the index of the shard is damaged");
}

void Shard::read(std::int64_t document, std::int64_t from, std::int64_t to,
                 std::vector<std::int32_t>& out) const {
  require(document >= 0 && document < info_.documents && 0 <= from && from <= to &&
              to <= length(document),
          "shard", "tokens [{}, {}) of document {} do not exist", from, to, document);
  const std::size_t first = offsets_[document] + static_cast<std::uint64_t>(from);
  const auto count = static_cast<std::size_t>(to - from);
  const auto vocab = static_cast<std::uint32_t>(info_.vocab_size);
  bool inside = true;
  const auto copy = [&](auto type) {
    const auto* tokens = reinterpret_cast<const decltype(type)*>(tokens_) + first;
    for (std::size_t at = 0; at < count; ++at) {
      inside = inside && tokens[at] < vocab;
      out.push_back(static_cast<std::int32_t>(tokens[at]));
    }
  };
  if (info_.token_bytes() == 2)
    copy(std::uint16_t{});
  else
    copy(std::uint32_t{});
  if (!inside)
    throw Error(path_.string(),
                fmt::format("document {} holds a token outside the vocabulary of {}", document,
                            info_.vocab_size),
                kRebuild);
}

ShardWriter::ShardWriter(ShardInfo info) : info_(std::move(info)) {}

void ShardWriter::add(std::span<const std::int32_t> tokens) {
  const std::size_t at = payload_.size();
  if (info_.token_bytes() == 2) {
    payload_.resize(at + 2 * tokens.size());
    auto* to = reinterpret_cast<std::uint16_t*>(payload_.data() + at);
    for (std::int32_t token : tokens) *to++ = static_cast<std::uint16_t>(token);
  } else {
    payload_.resize(at + 4 * tokens.size());
    if (!tokens.empty()) std::memcpy(payload_.data() + at, tokens.data(), 4 * tokens.size());
  }
  info_.tokens += static_cast<std::int64_t>(tokens.size());
  ++info_.documents;
  offsets_.push_back(static_cast<std::uint64_t>(info_.tokens));
}

ShardInfo ShardWriter::write(const std::filesystem::path& path) {
  payload_.resize(round_up(payload_.size(), 8));
  const std::size_t index_at = payload_.size();
  payload_.resize(index_at + 8 * offsets_.size());
  std::memcpy(payload_.data() + index_at, offsets_.data(), 8 * offsets_.size());
  info_.payload_hash = hex(XXH3_64bits(payload_.data(), payload_.size()));
  const nlohmann::json json = {{"documents", info_.documents},
                               {"tokens", info_.tokens},
                               {"token_bytes", info_.token_bytes()},
                               {"vocab_size", info_.vocab_size},
                               {"tokenizer", info_.tokenizer},
                               {"source", info_.source},
                               {"split", info_.split},
                               {"payload_hash", info_.payload_hash}};
  const std::string text = json.dump();
  Head head{};
  std::memcpy(head.magic, kMagic, sizeof kMagic);
  head.version = kVersion;
  head.json_bytes = static_cast<std::uint32_t>(text.size());
  head.json_hash = XXH3_64bits(text.data(), text.size());
  std::string front(reinterpret_cast<const char*>(&head), sizeof head);
  front += text;
  front.resize(round_up(front.size(), 64));
  write_file_atomically(path,
                        {front, {reinterpret_cast<const char*>(payload_.data()), payload_.size()}});
  const ShardInfo written = info_;
  info_.documents = info_.tokens = 0;
  payload_.clear();
  offsets_.assign(1, 0);
  return written;
}

}  // namespace tessera::data
