// SPDX-License-Identifier: MIT
#include "core/data/dedup.h"

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <string>
#include <vector>

#include "core/base/random.h"
#include "core/data/words.h"

namespace tessera::data {

namespace {

constexpr int kHashes = kBands * kBandRows;
constexpr std::size_t kPhraseWords = 5;

using Minima = std::array<std::uint32_t, kHashes>;

/// A hash function each: MurmurHash3's 32-bit finaliser after a key. NOTE: linear functions
/// (a x + b) are cheaper, but their minima are so dependent that 6 % of near copies were missed.
Minima minima_of(const std::vector<std::uint64_t>& phrases) {
  static const Minima keys = [] {
    Minima result;
    const Random random(0, stream_of("minhash"));
    for (std::size_t i = 0; i < kHashes; ++i) result[i] = random.words(i)[0];
    return result;
  }();
  Minima least;
  least.fill(std::numeric_limits<std::uint32_t>::max());
  for (std::uint64_t phrase : phrases) {
    const auto x = static_cast<std::uint32_t>(phrase ^ phrase >> 32);
    for (std::size_t i = 0; i < kHashes; ++i) {
      std::uint32_t h = x ^ keys[i];
      h = (h ^ h >> 16) * 0x85EBCA6Bu;
      h = (h ^ h >> 13) * 0xC2B2AE35u;
      least[i] = std::min(least[i], h ^ h >> 16);
    }
  }
  return least;
}

std::array<std::uint64_t, 2> exact_hash(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (char c : text) {
    const bool space = c == ' ' || (c >= 9 && c <= 13);
    if (!space)
      plain.push_back(c);
    else if (!plain.empty() && plain.back() != ' ')
      plain.push_back(' ');
  }
  if (!plain.empty() && plain.back() == ' ') plain.pop_back();
  const XXH128_hash_t hash = XXH3_128bits(plain.data(), plain.size());
  return {hash.low64, hash.high64};
}

/// A set of keys in buckets of eight, that doubles until it is as large as it may be; then a full
/// bucket forgets its oldest key.
template <class Key>
class KeySet {
 public:
  explicit KeySet(std::int64_t memory_bytes) {
    // While doubling, the old half is there as well.
    const auto bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(memory_bytes, 1 << 16));
    most_ = std::bit_floor(bytes * 2 / 3 / sizeof(Bucket));
    buckets_.resize(std::min<std::size_t>(most_, 256));
  }

  bool contains(const Key& key) const {
    const Bucket& bucket = buckets_[place(key)];
    return std::find(bucket.begin(), bucket.end(), key) != bucket.end();
  }

  void insert(const Key& key) {
    while (!put(key)) {
      if (buckets_.size() * 2 <= most_) {
        grow();
        continue;
      }
      Bucket& bucket = buckets_[place(key)];
      std::move(bucket.begin() + 1, bucket.end(), bucket.begin());
      bucket.back() = Key{};
      ++forgotten_;
    }
  }

  std::int64_t forgotten() const { return forgotten_; }

 private:
  using Bucket = std::array<Key, 8>;  // filled from the front, oldest first; Key{} is empty

  std::size_t place(const Key& key) const {
    return XXH3_64bits(&key, sizeof(Key)) & (buckets_.size() - 1);
  }
  bool put(const Key& key) {
    Bucket& bucket = buckets_[place(key)];
    for (Key& slot : bucket) {
      if (slot == key) return true;
      if (slot == Key{}) {
        slot = key;
        return true;
      }
    }
    return false;
  }
  void grow() {
    std::vector<Bucket> old(buckets_.size() * 2);
    old.swap(buckets_);
    // Doubling sends each key to one of two buckets: none can overflow.
    for (const Bucket& bucket : old)
      for (const Key& key : bucket)
        if (key != Key{}) put(key);
  }

  std::vector<Bucket> buckets_;
  std::size_t most_ = 0;
  std::int64_t forgotten_ = 0;
};

}  // namespace

Fingerprint fingerprint(std::string_view text) {
  Fingerprint print;
  print.exact = exact_hash(text);
  auto phrases = phrase_hashes(word_hashes(text), kPhraseWords);
  if (phrases.empty()) phrases.push_back(print.exact[0]);  // no words: as unique as its text
  const Minima least = minima_of(phrases);
  for (std::size_t band = 0; band < kBands; ++band)
    print.bands[band] =
        XXH3_64bits_withSeed(&least[band * kBandRows], kBandRows * sizeof(std::uint32_t), band + 1);
  return print;
}

struct Deduplicator::State {
  DedupOptions options;
  KeySet<std::array<std::uint64_t, 2>> exact;
  KeySet<std::uint64_t> bands;

  // Keys of a document: 16 bytes and 14 * 8 bytes.
  explicit State(const DedupOptions& o)
      : options(o),
        exact(o.memory_bytes / (1 + kBands / 2)),
        bands(o.memory_bytes - o.memory_bytes / (1 + kBands / 2)) {}
};

Deduplicator::Deduplicator(const DedupOptions& options)
    : state_(std::make_unique<State>(options)) {}
Deduplicator::~Deduplicator() = default;

std::optional<Drop> Deduplicator::see(const Fingerprint& document) {
  const State& s = *state_;
  if (s.options.exact && s.exact.contains(document.exact)) return Drop::ExactDuplicate;
  if (s.options.near)
    for (std::uint64_t band : document.bands)
      if (s.bands.contains(band)) return Drop::NearDuplicate;
  remember(document);
  return std::nullopt;
}

void Deduplicator::remember(const Fingerprint& document) {
  State& s = *state_;
  if (s.options.exact) s.exact.insert(document.exact);
  if (s.options.near)
    for (std::uint64_t band : document.bands) s.bands.insert(band);
}

std::int64_t Deduplicator::forgotten() const {
  return state_->exact.forgotten() + state_->bands.forgotten();
}

}  // namespace tessera::data
