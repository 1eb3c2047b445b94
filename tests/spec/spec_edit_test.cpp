// SPDX-License-Identifier: MIT
#include "core/spec/spec_edit.h"

#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/spec/spec_table.h"

namespace tessera {
namespace {

const char* const kText = R"(# A comment at the start
preset = "demo"

[run]
name = "mine"  # and one behind a value

# one above
[model]
hidden_size = 96
n_routed_experts    =    8

[[curriculum]]
name = "first"
steps = 10
sequence_length = 64
batch_sequences = 8
learning_rate = [
  { kind = "warmup", steps = 5, to = 1e-3 },  # up
  { kind = "cosine", to = 1e-4 },
]

[[curriculum]]
name = "zweite é"
steps = 20
sequence_length = 64
batch_sequences = 8
mixture = { web = 1, code = 2 }
)";

RunSpec read(const std::string& text) {
  const SpecReading reading = read_spec_text(text, "run.toml");
  EXPECT_TRUE(reading.complete) << text;
  return reading.spec;
}

/// Sets a key and shows that the text then says just that.
std::string set(const std::string& text, const std::string& path, const std::string& value) {
  RunSpec after = read(text);
  EXPECT_TRUE(spec::set_text(after, path, value).empty()) << path;
  const std::string edited = spec::set_in_text(text, path, after);
  for (const spec::Difference& d : spec::differences(read(edited), after)) {
    ADD_FAILURE() << d.path << " in\n" << edited;
  }
  return edited;
}

/// The text with one part of it exchanged.
std::string exchanged(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  EXPECT_NE(at, text.npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(SpecEdit, ReplacesAValueAndNothingElse) {
  EXPECT_EQ(set(kText, "model.hidden_size", "128"),
            exchanged(kText, "hidden_size = 96", "hidden_size = 128"));
  EXPECT_EQ(set(kText, "model.n_routed_experts", "16"), exchanged(kText, "=    8", "=    16"));
  EXPECT_EQ(set(kText, "run.name", "other"), exchanged(kText, "\"mine\"", "\"other\""));
  EXPECT_EQ(set(kText, "curriculum[1].steps", "30"), exchanged(kText, "= 20", "= 30"));
}

TEST(SpecEdit, AddsAKeyToItsTable) {
  EXPECT_EQ(set(kText, "model.num_hidden_layers", "3"),
            exchanged(kText, "=    8\n", "=    8\nnum_hidden_layers = 3\n"));
  EXPECT_EQ(set(kText, "run.seed", "7"),
            exchanged(kText, "behind a value\n", "behind a value\nseed = 7\n"));
  EXPECT_EQ(set(kText, "curriculum[0].bias_speed", "0.5"),
            exchanged(kText, "to = 1e-4 },\n]\n", "to = 1e-4 },\n]\nbias_speed = 0.5\n"));
}

TEST(SpecEdit, AddsATableBeforeTheListsOfTables) {
  const std::string text = set(kText, "optimiser.clip", "0.5");
  EXPECT_EQ(text, exchanged(kText, "[[curriculum]]\nname = \"first\"",
                            "[optimiser]\nclip = 0.5\n\n[[curriculum]]\nname = \"first\""));
  set(set(kText, "model.yarn.factor", "2"), "model.yarn.beta_fast", "16");
  set("", "optimiser.clip", "0.5");
  set("preset = \"demo\"", "model.hidden_size", "64");
}

TEST(SpecEdit, WritesARateAsAWhole) {
  const std::string text = set(kText, "curriculum[0].learning_rate[0].to", "0.002");
  EXPECT_NE(text.find("steps = 5, to = 0.002"), text.npos) << text;
  EXPECT_NE(text.find("# one above"), text.npos);
  set("preset = \"demo\"\n[[curriculum]]\nsteps = 5\nlearning_rate = 1e-3\n",
      "curriculum[0].learning_rate[0].to", "0.002");
}

TEST(SpecEdit, TakesAPresetsListOverAsAWhole) {
  const std::string text = set("preset = \"demo\"\n", "curriculum[0].sequence_length", "128");
  EXPECT_NE(text.find("[[curriculum]]"), text.npos);
  EXPECT_TRUE(spec::text_sets(text, "curriculum"));
  EXPECT_FALSE(spec::text_sets(text, "data.sources"));
  set(text, "data.sources[1].weight", "20");
}

TEST(SpecEdit, AddsAndRemovesStages) {
  RunSpec more = read(kText);
  more.curriculum.push_back(more.curriculum.front());
  const std::string three = spec::set_in_text(kText, "curriculum", more);
  EXPECT_TRUE(spec::differences(read(three), more).empty()) << three;
  RunSpec fewer = more;
  fewer.curriculum.erase(fewer.curriculum.begin());
  const std::string two = spec::set_in_text(three, "curriculum", fewer);
  EXPECT_TRUE(spec::differences(read(two), fewer).empty()) << two;
  EXPECT_NE(two.find("# one above"), two.npos);
}

TEST(SpecEdit, RemovesAKeySoThatThePresetCounts) {
  const std::string text = spec::remove_from_text(kText, "model.hidden_size");
  EXPECT_EQ(text, exchanged(kText, "hidden_size = 96\n", ""));
  EXPECT_EQ(read(text).model.hidden_size, 128);
  EXPECT_EQ(spec::remove_from_text(kText, "model.num_hidden_layers"), kText);
  const std::string stages = spec::remove_from_text(kText, "curriculum");
  EXPECT_FALSE(spec::text_sets(stages, "curriculum")) << stages;
  EXPECT_EQ(read(stages).curriculum.size(), 1u);
}

TEST(SpecEdit, TakesAnOptionalKeyOutWhenItBecomesAbsent) {
  const std::string with = set(kText, "curriculum[1].yarn_factor", "2.0");
  RunSpec after = read(with);
  after.curriculum[1].yarn_factor.reset();
  const std::string text = spec::set_in_text(with, "curriculum[1].yarn_factor", after);
  EXPECT_EQ(text, kText);
}

TEST(SpecEdit, WorksOnEveryKey) {
  for (const char* preset : {"length-extension-demo", "v3"}) {
    const RunSpec spec = read_preset(preset).spec;
    const std::string text = write_spec(spec);
    for (const spec::Entry& entry : spec::flatten(spec)) {
      if (entry.path == "run.preset") continue;
      const std::string same = spec::set_in_text(text, entry.path, spec);
      const SpecReading again = read_spec_text(same, "run.toml");
      ASSERT_TRUE(again.complete) << entry.path << "\n" << same;
      ASSERT_TRUE(spec::differences(again.spec, spec).empty()) << entry.path << "\n" << same;
    }
  }
}

TEST(SpecEdit, WritesThePresetAndWhatDiffers) {
  EXPECT_EQ(spec::short_text(read_preset("demo").spec, "demo"), "preset = \"demo\"\n");
  RunSpec spec = read(kText);
  const std::string text = spec::short_text(spec, "demo");
  RunSpec again = read(text);
  EXPECT_TRUE(spec::changed_paths(again, spec).empty()) << text;
  EXPECT_LT(text.size(), write_spec(spec).size() / 4);
}

TEST(SpecEdit, RefusesTextThatIsNoToml) {
  EXPECT_THROW(spec::set_in_text("[model\n", "model.hidden_size", RunSpec()), Error);
  EXPECT_THROW(spec::set_in_text("", "model.hidden_sice", RunSpec()), Error);
}

}  // namespace
}  // namespace tessera
