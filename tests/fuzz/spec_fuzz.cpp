// SPDX-License-Identifier: MIT
// The spec reader on arbitrary text: it throws nothing, and a spec that it calls good can be
// scheduled, written and read back unchanged. A line "---" separates the text from overrides, one a
// line.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "core/spec/curriculum.h"
#include "core/spec/spec.h"
#include "core/spec/spec_table.h"

namespace {

void expect(bool sound) {
  if (!sound) std::abort();
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
  }
  return lines;
}

void check_good(const tessera::RunSpec& spec) {
  const std::string text = tessera::write_spec(spec);
  const tessera::SpecReading again = tessera::read_spec_text(text, "again.toml");
  expect(again.ok());
  expect(tessera::spec::differences(spec, again.spec).empty());
  expect(tessera::write_spec(again.spec) == text);

  const tessera::Curriculum curriculum(spec);
  const std::int64_t last = curriculum.total_steps() - 1;
  for (const std::int64_t step : {std::int64_t{0}, last / 3, last / 2, last}) {
    const tessera::CurriculumStep at = curriculum.at_step(step);
    expect(at.step == step && at.learning_rate >= 0 && at.learning_rate <= 10);
    expect(at.batch_sequences > 0 && at.tokens >= 0);
    expect(curriculum.at_tokens(at.tokens).step == step);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::string_view kSeparator = "\n---\n";
  std::string_view toml(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> overrides;
  if (const auto at = toml.find(kSeparator); at != toml.npos) {
    overrides = lines_of(toml.substr(at + kSeparator.size()));
    toml = toml.substr(0, at);
  }
  const tessera::SpecReading reading = tessera::read_spec_text(toml, "run.toml", overrides);
  for (const tessera::Problem& problem : reading.problems) {
    expect(!problem.message.empty());
    expect(problem.text().find('\n') == std::string::npos);
  }
  if (reading.ok()) check_good(reading.spec);
  return 0;
}
