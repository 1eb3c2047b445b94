// SPDX-License-Identifier: MIT
#include "kernels/attention_decode/attention_decode.h"
#include "kernels/cases.h"

namespace tessera::kernels {

namespace {
struct Setting {
  std::vector<std::int64_t> lengths;
  std::int64_t heads, d_latent, d_rope, page_tokens, pad = 0;

  std::int64_t rows() const { return std::int64_t(lengths.size()); }
  std::int64_t d() const { return d_latent + d_rope; }
  std::int64_t pages_of(std::int64_t length) const {
    return (length + page_tokens - 1) / page_tokens;
  }
  std::int64_t positions() const {
    std::int64_t sum = 0;
    for (std::int64_t length : lengths) sum += length;
    return sum;
  }
  std::string text(DType cache) const {
    return fmt::format("{} rows, {} positions in pages of {}, {} heads of {}+{}{}, cache {}",
                       rows(), positions(), page_tokens, heads, d_latent, d_rope,
                       pad ? " strided" : "", short_name(cache));
  }
  double flops() const { return 2.0 * double(positions() * heads) * double(d() + d_latent); }
  bool benchmark() const { return flops() > 1e8; }

  /// Each row's pages, taken from the pool in an order that is not the rows'. NOTE: entries that no
  /// position needs are -1: nothing may be read through them.
  Tensor pages(CaseRun& run) const {
    std::int64_t total = 0, most = 1;
    for (std::int64_t length : lengths) {
      total += pages_of(length);
      most = std::max(most, pages_of(length));
    }
    std::vector<std::int64_t> table;
    std::int64_t next = 0;
    for (std::int64_t length : lengths) {
      for (std::int64_t i = 0; i < most; ++i) {
        table.push_back(i < pages_of(length) ? total - 1 - next++ : -1);
      }
    }
    return run.integers(DType::I32, {rows(), most}, table);
  }
  std::int64_t pool() const {
    std::int64_t total = 0;
    for (std::int64_t length : lengths) total += pages_of(length);
    return total;
  }
};

Case decode_case(const Setting& s, DType dtype, DType cache_type, bool alone = false) {
  return {
      .op = alone ? "attention_decode_alone" : "attention_decode",
      .label = s.text(cache_type),
      .dtype = dtype,
      .tolerance = 2e-6,
      .flops = s.flops(),
      .bytes = double(s.positions() * s.d()) * double(size_of(cache_type)),
      .benchmark = s.benchmark(),
      .same_for_any_threads = !s.benchmark(),
      .body = [=](CaseRun& run) {
        const Tensor q = run.normal({s.rows(), s.heads, s.d()}, {.pad = s.pad});
        const Tensor cache = run.normal({s.pool(), s.page_tokens, s.d()}, {.dtype = cache_type});
        const Tensor pages = s.pages(run);
        const Tensor lengths = run.integers(DType::I32, {s.rows()}, s.lengths);
        const Tensor o = run.output("o", {s.rows(), s.heads, s.d_latent}, {.pad = 2 * s.pad});
        const float scale = 1.0f / std::sqrt(static_cast<float>(s.d()));
        const auto& op = alone ? attention_decode_alone : attention_decode;
        run.execute([&](Context& c) { op(c, q, cache, pages, lengths, scale, o); });
      }};
}
}  // namespace

void register_attention_decode_cases(CaseList& cases) {
  const Setting settings[] = {
      {{}, 2, 8, 4, 16},
      {{1}, 1, 4, 2, 1},
      {{1, 16, 17, 5}, 3, 32, 16, 16, 8},
      {{64, 200, 33}, 4, 128, 32, 64},
      {{1500, 3}, 2, 64, 16, 16},
      {std::vector<std::int64_t>(16, 1024), 8, 256, 32, 64},
      {{8192}, 16, 512, 64, 64},
      {std::vector<std::int64_t>(8, 2048), 128, 512, 64, 64},
  };
  for (const Setting& setting : settings) {
    cases.push_back(decode_case(setting, DType::F32, DType::F32));
    cases.push_back(decode_case(setting, DType::F32, DType::BF16));
  }
  cases.push_back(decode_case(settings[3], DType::F64, DType::F64));
  // BF16 throughout is the GPU's alone: its error is that of the weights and the result, rounded.
  const auto narrow = [&](const Setting& setting, bool alone = false) {
    Case c = decode_case(setting, DType::BF16, DType::BF16, alone);
    c.tolerance = 4e-3;
    c.on_cpu = false;
    c.same_for_any_threads = false;
    return c;
  };
  for (const Setting& setting : settings) cases.push_back(narrow(setting));
  cases.push_back(narrow({{1, 64, 65, 700}, 16, 512, 64, 64}));
  cases.push_back(narrow({{130, 2100}, 70, 512, 64, 128, 8}));
  cases.push_back(narrow({{77, 600, 512}, 8, 256, 64, 64}));
  // Rows alone: short ones, and whole chunks.
  for (const Setting& setting : {Setting{{1, 64, 65, 700}, 16, 512, 64, 64},
                                 Setting{{512, 513, 1024, 77}, 8, 256, 64, 64}}) {
    cases.push_back(narrow(setting, true));
    cases.push_back(decode_case(setting, DType::F32, DType::F32, true));
    for (std::size_t i = cases.size() - 2; i < cases.size(); ++i) cases[i].benchmark = false;
  }
  // Whole rows in one block, 1 to 11 tiles, the last one full or not; one block of heads and two.
  const auto lengths_to_704 = [](std::int64_t rows) {
    std::vector<std::int64_t> lengths;
    for (std::int64_t i = 0; i < rows; ++i) lengths.push_back(1 + i * 703 / (rows - 1));
    for (std::int64_t i = 1; i < rows; i += 3) lengths[std::size_t(i)] = (1 + i % 11) * 64;
    return lengths;
  };
  for (const Setting& setting :
       {Setting{lengths_to_704(66), 16, 512, 64, 64}, Setting{lengths_to_704(40), 128, 512, 64, 64},
        Setting{lengths_to_704(66), 8, 256, 64, 64}}) {
    Case c = narrow(setting);
    c.benchmark = false;
    cases.push_back(c);
  }
  // What GPUs are measured with.
  for (const std::int64_t heads : {16, 128}) {
    for (const std::int64_t length : {4096, 32768}) {
      Case c = narrow({std::vector<std::int64_t>(64, length), heads, 512, 64, 64});
      c.timed_only = true;
      cases.push_back(c);
    }
  }
}

}  // namespace tessera::kernels
