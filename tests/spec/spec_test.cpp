// SPDX-License-Identifier: MIT
#include "core/spec/spec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/nearest_word.h"
#include "core/config/paths.h"
#include "core/spec/curriculum.h"
#include "core/spec/spec_table.h"
#include "tests/run/run_test_helpers.h"

namespace tessera {
namespace {

std::vector<std::string> texts(const SpecReading& reading) {
  std::vector<std::string> lines;
  for (const Problem& problem : reading.problems) lines.push_back(problem.text());
  return lines;
}

/// The problems of a few lines on top of the demo.
std::vector<std::string> problems_of(const std::string& lines,
                                     const std::vector<std::string>& overrides = {}) {
  return texts(read_spec_text("preset = \"demo\"\n" + lines, "run.toml", overrides));
}

using Lines = std::vector<std::string>;

// ---- Presets ------------------------------------------------------------------------------------

class Presets : public testing::TestWithParam<PresetInfo> {};

/// A model for thousands of GPUs can be planned; all that keeps it from running is their number.
bool is_spread(const Problem& problem) {
  return problem.key.starts_with("parallel.") || problem.key == "host.kind";
}

std::vector<std::string> texts_but_spread(SpecReading reading) {
  std::erase_if(reading.problems, is_spread);
  return texts(reading);
}

TEST_P(Presets, LoadsWithoutAnyProblem) {
  const SpecReading reading = read_preset(GetParam().name);
  EXPECT_EQ(texts_but_spread(reading), Lines());
  EXPECT_EQ(reading.ok(), !GetParam().name.starts_with("v3"));  // these are spread over ranks
  EXPECT_FALSE(GetParam().summary.empty());
  EXPECT_EQ(reading.spec.run.preset, GetParam().name);
  EXPECT_GT(Curriculum(reading.spec).total_steps(), 0);
}

TEST_P(Presets, SurvivesWritingAndReading) {
  const RunSpec spec = read_preset(GetParam().name).spec;
  const std::string text = write_spec(spec);
  const SpecReading again = read_spec_text(text, "run.toml");
  EXPECT_EQ(texts_but_spread(again), Lines());
  EXPECT_TRUE(spec::differences(spec, again.spec).empty());
  EXPECT_EQ(write_spec(again.spec), text);
}

TEST_P(Presets, HasTheMixture) {
  std::map<std::string, double> share;
  double sum = 0, chinese = 0;
  const RunSpec spec = read_preset(GetParam().name).spec;
  for (const DataSource& source : spec.data.sources) {
    share[source.domain] += source.weight;
    sum += source.weight;
    if (source.name == "chinese") chinese += source.weight;
  }
  EXPECT_NEAR(share["web"] / sum, 0.70, 1e-12);
  EXPECT_NEAR(share["code"] / sum, 0.15, 1e-12);
  EXPECT_NEAR(share["mathematics"] / sum, 0.10, 1e-12);
  EXPECT_NEAR(share["multilingual"] / sum, 0.05, 1e-12);
  EXPECT_NEAR(chinese / share["multilingual"], 0.30, 1e-12);
}

INSTANTIATE_TEST_SUITE_P(Run, Presets, testing::ValuesIn(list_presets()), [](const auto& preset) {
  std::string name = preset.param.name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(Preset, SizesAreTheStatedOnes) {
  const auto billions = [](const char* preset) {
    const ParameterCount n = count_parameters(read_preset(preset).spec.model);
    return std::pair(static_cast<double>(n.total) / 1e9, static_cast<double>(n.active) / 1e9);
  };
  EXPECT_NEAR(billions("v3").first, 671.03, 0.01);
  EXPECT_NEAR(billions("v3").second, 37, 0.6);
  EXPECT_NEAR(billions("v2-lite").first, 15.7, 0.1);
  EXPECT_NEAR(billions("numbers-small").first, 1.24, 0.01);
  EXPECT_NEAR(billions("numbers-medium").first, 3.71, 0.01);
  EXPECT_GT(billions("small-20m").first, 0.020);
  EXPECT_LT(billions("demo").first, 0.003);
}

TEST(Preset, TheArticleDiffersFromTheReport) {
  const RunSpec spec = read_preset("v3-article").spec;
  EXPECT_EQ(spec.precision.recipe, PrecisionRecipe::Tensorwise);
  ASSERT_EQ(spec.curriculum.size(), 3u);
  for (const CurriculumStage& stage : spec.curriculum) {
    EXPECT_EQ(stage.bias_rule, BiasRule::Utilisation);
    EXPECT_EQ(stage.balance_alpha, 0);
  }
  const auto differences = spec::differences(spec, read_preset("v3").spec);
  const auto changed = [&](const std::string& path) {
    return std::any_of(differences.begin(), differences.end(),
                       [&](const auto& d) { return d.path == path; });
  };
  EXPECT_TRUE(changed("precision.recipe"));
  EXPECT_TRUE(changed("curriculum[1].sequence_length"));
  EXPECT_TRUE(changed("curriculum[5].steps"));  // a stage that the article does not have
  EXPECT_FALSE(changed("model.hidden_size"));
}

// ---- Messages -----------------------------------------------------------------------------------

TEST(SpecProblems, UnknownKeysNameTheNearest) {
  EXPECT_EQ(problems_of("[[curriculum]]\nsteps = 5\nlearning_rate = 1e-3\nlearning_rat = 2"),
            Lines({"run.toml:5: curriculum[0].learning_rat: unknown key; did you mean "
                   "\"learning_rate\"?"}));
  EXPECT_EQ(problems_of("[model]\nhiden_size = 5"),
            Lines({"run.toml:3: model.hiden_size: unknown key; did you mean \"hidden_size\"?"}));
  EXPECT_EQ(problems_of("[modle]\nhidden_size = 5"),
            Lines({"run.toml:2: modle: unknown key; did you mean \"model\"?"}));
  EXPECT_EQ(problems_of("[optimiser]\nbatch_sequences = 5"),
            Lines({"run.toml:3: optimiser.batch_sequences: unknown key; did you mean "
                   "\"curriculum[].batch_sequences\"?"}));
  EXPECT_EQ(problems_of("[run]\nxyzzy = 5"), Lines({"run.toml:3: run.xyzzy: unknown key"}));
}

TEST(SpecProblems, WrongTypesAndRanges) {
  EXPECT_EQ(problems_of("[model]\nhidden_size = \"big\""),
            Lines({"run.toml:3: model.hidden_size: \"big\" is a string; expected a whole number "
                   "from 1 to 1_048_576"}));
  EXPECT_EQ(problems_of("[model]\nhidden_size = 0"),
            Lines({"run.toml:3: model.hidden_size: 0 is out of range; expected a whole number from "
                   "1 to 1_048_576"}));
  EXPECT_EQ(
      problems_of("[model]\nrope_theta = 0"),
      Lines({"run.toml:3: model.rope_theta: 0.0 is out of range; expected a number above 0"}));
  EXPECT_EQ(
      problems_of("[model]\nhidden_size = 12.5"),
      Lines({"run.toml:3: model.hidden_size: 12.5 is a number; expected a whole number from 1 "
             "to 1_048_576"}));
  EXPECT_EQ(problems_of("[optimiser]\nbeta1 = nan"),
            Lines({"run.toml:3: optimiser.beta1: nan is out of range; expected a number from 0 to "
                   "0.999999"}));
  EXPECT_EQ(problems_of("[precision]\nrecipe = \"fp23\""),
            Lines({"run.toml:3: precision.recipe: unknown word \"fp23\"; expected one of fp32, "
                   "bf16, tensorwise, blockwise; did you mean \"fp32\"?"}));
  EXPECT_EQ(problems_of("curriculum = 3"),
            Lines({"run.toml:2: curriculum: 3 is a whole number; expected a list of tables"}));
  EXPECT_EQ(problems_of("model = [1, 2]"),
            Lines({"run.toml:2: model: is a list; expected a table of keys, like [model]"}));
}

TEST(SpecProblems, WordsOfAListAreNamed) {
  EXPECT_EQ(
      problems_of("[parallel]\nrecompute = [\"norms\", \"block\"]"),
      Lines({"run.toml:3: parallel.recompute: unknown word \"block\"; expected a list with any "
             "of norms, swiglu, up_projections, blocks; did you mean \"blocks\"?"}));
  EXPECT_EQ(problems_of("[parallel]\nrecompute = [3]"),
            Lines({"run.toml:3: parallel.recompute: is a list; expected a list with any of norms, "
                   "swiglu, up_projections, blocks"}));
  const SpecReading reading =
      read_spec_text("[parallel]\nrecompute = [\"blocks\", \"norms\", \"blocks\"]", "run.toml");
  EXPECT_EQ(reading.spec.parallel.recompute, (Recompute{.norms = true, .blocks = true}));
  EXPECT_NE(write_spec(reading.spec).find("recompute = [\"norms\", \"blocks\"]"),
            std::string::npos);
  EXPECT_EQ(read_preset("demo", {"parallel.recompute=swiglu"}).spec.parallel.recompute,
            Recompute{.swiglu = true});
}

TEST(SpecProblems, AllAreToldAtOnceInTheOrderOfTheFile) {
  const auto lines = problems_of(
      "[optimiser]\nbeta1 = 2\n[model]\nn_groups = 4\nhidden_size = true\nnum_experts_per_tok = 9");
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[0].substr(0, 27), "run.toml:3: optimiser.beta1");
  EXPECT_EQ(lines[1].substr(0, 26), "run.toml:5: model.n_groups");
  EXPECT_EQ(lines[2].substr(0, 29), "run.toml:6: model.hidden_size");
  EXPECT_EQ(lines[3],
            "run.toml:7: model.num_experts_per_tok: 9 is more than the 8 experts of the 2 kept "
            "groups; expected at most 8");
}

TEST(SpecProblems, SettingsThatContradictEachOther) {
  const std::string stage = "[[curriculum]]\nlearning_rate = 1e-3\n";
  EXPECT_EQ(problems_of(stage + "steps = 5\ntokens = 5\nbatch_sequences = 8"),
            Lines({"run.toml:4: curriculum[0].steps: is given beside tokens; expected one of them: "
                   "the length of the stage"}));
  EXPECT_EQ(
      problems_of(stage + "batch_sequences = 8"),
      Lines({"run.toml:2: curriculum[0].steps: is 0, as is tokens; expected a length in steps "
             "or in tokens"}));
  EXPECT_EQ(problems_of(stage + "steps = 5\nsequence_length = 512\nbatch_sequences = 8"),
            Lines({"run.toml:5: curriculum[0].sequence_length: 512 is longer than "
                   "model.max_position_embeddings; expected at most 256, or a yarn_factor for the "
                   "stage"}));
  EXPECT_EQ(problems_of(stage + "steps = 5\nsequence_length = 512\nbatch_sequences = 8\n"
                                "yarn_factor = 2\nyarn_original_length = 256"),
            Lines());
  EXPECT_EQ(
      problems_of(stage + "steps = 5\nbatch_sequences = 9"),
      Lines({"run.toml:5: curriculum[0].batch_sequences: 9 cannot be split into micro-batches; "
             "expected a multiple of parallel.data * parallel.micro_batch_sequences, 8"}));
  EXPECT_EQ(
      problems_of("[[curriculum]]\nsteps = 5\nbatch_sequences = 8\nlearning_rate = [\n"
                  "  { kind = \"cosine\", to = 0.0 },\n  { kind = \"constant\", to = 0.001 },\n"
                  "]"),
      Lines({"run.toml:6: curriculum[0].learning_rate[0].steps: is 0, as is tokens, but only "
             "the last piece may be the rest; expected a length in steps or in tokens"}));
  EXPECT_EQ(problems_of(stage + "steps = 5\nbatch_sequences = 8\nmixture = { wbe = 1 }")
                .at(0)
                .substr(0, 63),
            "run.toml:6: curriculum[0].mixture: there is no source \"wbe\"; ex");
  EXPECT_EQ(problems_of("curriculum = []"),
            Lines({"run.toml:2: curriculum: has no stages; expected one [[curriculum]] or more"}));
}

TEST(SpecProblems, WhatThisVersionDoesNotDoIsRefused) {
  EXPECT_EQ(problems_of("[host]\nkind = \"ssh\"\naddress = \"box\""),
            Lines({"run.toml:3: host.kind: \"ssh\" can be planned, and a run of its own trains on "
                   "this machine alone; `tessera launch SPEC --hosts HOST:RANKS` trains there; "
                   "expected \"local\" for a run"}));
  EXPECT_EQ(
      problems_of("[host]\nkind = \"slurm\""),
      Lines({"run.toml:3: host.kind: \"slurm\" can be planned, and a run of its own trains on "
             "this machine alone; `tessera launch SPEC --slurm PROFILE` trains there; "
             "expected \"local\" for a run"}));
  EXPECT_EQ(problems_of("[tokenizer]\nbyte_fallback = false").size(), 1u);
  EXPECT_THROW(load_spec("demo", {"host.kind=slurm"}), Error);
}

/// Both numbers are named.
TEST(SpecProblems, RanksThatDoNotShareExpertsEvenlyAreRefused) {
  const auto has = [](const std::string& text, const std::string& wanted) {
    const Lines lines = problems_of(text);
    return std::ranges::any_of(lines, [&](const auto& l) { return l.find(wanted) != l.npos; });
  };
  EXPECT_TRUE(has("[parallel]\nexpert = 3", "3 does not divide the 16 experts of a layer"))
      << problems_of("[parallel]\nexpert = 3").at(0);
  EXPECT_TRUE(has("[parallel]\ndata = 6\nexpert = 4",
                  "4 does not divide the 6 replicas that share experts"));
  EXPECT_TRUE(has("[model]\nn_routed_experts = 0\n[parallel]\nexpert = 2",
                  "2 ranks cannot share experts: a dense model has none"));
}

TEST(SpecProblems, RanksThatCannotShareSequencesAreRefused) {
  const auto of = [](const std::string& lines, const std::string& key) {
    Lines found = problems_of(lines);
    std::erase_if(found, [&](const auto& l) { return l.find(key + ":") == l.npos; });
    return found;
  };
  EXPECT_TRUE(of("[parallel]\ncontext = 2", "parallel.context").empty());
  // The sequences of the demo are 256 tokens long.
  EXPECT_EQ(of("[parallel]\ncontext = 3", "parallel.context"),
            Lines({"run.toml:3: parallel.context: 3 ranks cut a sequence into 6 pieces, which 256 "
                   "tokens cannot be split into; expected curriculum[0].sequence_length as a "
                   "multiple of 6"}));
  EXPECT_EQ(of("[parallel]\ncontext = 0", "parallel.context").size(), 1u);
  EXPECT_EQ(of("[parallel]\ncontext = 2\nsums = \"canonical\"", "parallel.sums").size(), 1u);
  EXPECT_EQ(of("[parallel]\ncontext = 2\n[host]\ndevice = \"cuda\"", "parallel.context"),
            Lines({"run.toml:3: parallel.context: 2 ranks share a sequence, but attention on GPUs "
                   "takes whole sequences alone; expected 1, or host.device = \"cpu\""}));
  // Experts are spread over data x context.
  EXPECT_TRUE(of("[parallel]\ndata = 2\ncontext = 2\nexpert = 4", "parallel.expert").empty());
  EXPECT_EQ(of("[parallel]\ndata = 3\ncontext = 2\nexpert = 4", "parallel.expert").size(), 1u);
}

TEST(SpecProblems, ASchedulesNumbersAreNamed) {
  const auto of_schedule = [](const std::string& lines, const std::string& key) {
    Lines found;
    for (const std::string& line : problems_of(lines)) {
      if (line.find(key) != line.npos) found.push_back(line);
    }
    return found;
  };
  // The demo has 4 layers, and batches of 8 are one micro-batch.
  EXPECT_EQ(of_schedule("[parallel]\npipeline = 3\nschedule = \"dualpipe\"", "parallel.schedule"),
            Lines({"run.toml:4: parallel.schedule: 3 ranks: dualpipe needs a multiple of 2, as two "
                   "ranks hold each stage"}));
  EXPECT_EQ(of_schedule("[parallel]\npipeline = 4\nschedule = \"dualpipev\"", "parallel.schedule"),
            Lines({"run.toml:4: parallel.schedule: dualpipev on 4 ranks cuts the model into 8 "
                   "parts, which is more than the layers; expected at most "
                   "model.num_hidden_layers, 4"}));
  const Lines batch =
      of_schedule("[parallel]\npipeline = 2\nschedule = \"dualpipe\"", "batch_sequences");
  ASSERT_EQ(batch.size(), 1u);
  EXPECT_TRUE(batch[0].ends_with(
      "curriculum[0].batch_sequences: 8 make 1 micro-batch on 2 ranks: dualpipe needs 4 or more; "
      "expected a multiple of 16, from 32 on"))
      << batch[0];
  EXPECT_EQ(of_schedule("[parallel]\npipeline = 2\nstages_per_rank = 1", "stages_per_rank").size(),
            1u);
  EXPECT_EQ(of_schedule("[parallel]\nschedule = \"zb1p\"", "parallel.schedule"),
            Lines({"run.toml:3: warning: parallel.schedule: is not used: parallel.pipeline is 1"}));
}

TEST(SpecProblems, ASourceOfWeightZeroIsNotRead) {
  const std::string stage =
      "[[curriculum]]\nsteps = 5\nbatch_sequences = 8\nlearning_rate = 1e-3\n";
  const std::string sources =
      "[[data.sources]]\nname = \"a\"\npaths = [\"a\"]\n[[data.sources]]\nname = \"b\"\n"
      "paths = [\"b\"]\nweight = 0\n";
  EXPECT_EQ(
      problems_of(stage + sources),
      Lines({"run.toml:12: warning: data.sources[1].weight: is 0 and no stage has the source in "
             "its mixture: it is not read"}));
  EXPECT_EQ(problems_of(stage + "mixture = { b = 1 }\n" + sources), Lines());
  EXPECT_EQ(run_mixture(read_spec_text("preset = \"demo\"\n" + stage + sources, "x").spec),
            (Mixture{{"a", 1}}));
}

TEST(SpecProblems, ValidationWithoutHeldOutTextIsAWarning) {
  EXPECT_EQ(
      problems_of("[data]\nheld_out_fraction = 0"),
      Lines({"run.toml:3: warning: data.held_out_fraction: is 0, so that no text is held out, "
             "but validation.every_steps is 100: the run is not validated; expected a share above "
             "0, or validation.every_steps = 0"}));
  EXPECT_EQ(problems_of("[data]\nheld_out_fraction = 0\n[validation]\nevery_steps = 0"), Lines());
}

TEST(SpecProblems, ThresholdsThatDoNothingAreWarnedOf) {
  EXPECT_EQ(problems_of("[data.filters]\non = false\nmin_characters = 5\nmax_repeated_lines = 0.3"),
            Lines({"run.toml:4: warning: data.filters.min_characters: does nothing: "
                   "data.filters.on is false, so that every document is kept; expected "
                   "data.filters.on = true",
                   "run.toml:5: warning: data.filters.max_repeated_lines: does nothing: "
                   "data.filters.on is false, so that every document is kept; expected "
                   "data.filters.on = true"}));
  EXPECT_EQ(problems_of("[data.filters]\nmin_characters = 5"), Lines());
  EXPECT_EQ(problems_of("[data.filters]\non = false"), Lines());
}

TEST(SpecProblems, AHomeThatIsNotSetIsNamed) {
  const std::string home = std::getenv("HOME") ? std::getenv("HOME") : "";
  unsetenv("HOME");
  EXPECT_TRUE(
      problems_of("[tokenizer]\npath = \"~/v.model\"")
          .at(0)
          .starts_with("run.toml:3: tokenizer.path: \"~/v.model\" begins with ~, and HOME is "
                       "not set; expected"));
  EXPECT_THROW(resolve_path("~/text"), Error);
  setenv("HOME", "/somebody", 1);
  EXPECT_EQ(problems_of("[tokenizer]\npath = \"~/v.model\""), Lines());
  EXPECT_EQ(resolve_path("~/text"), "/somebody/text");
  if (!home.empty()) setenv("HOME", home.c_str(), 1);
}

TEST(SpecProblems, BrokenTomlNamesItsLine) {
  const auto lines = texts(read_spec_text("preset = \"demo\"\n[model\nx = 1", "run.toml"));
  ASSERT_FALSE(lines.empty());
  EXPECT_EQ(lines[0].substr(0, 11), "run.toml:2:");
}

/// toml++ 3.3 takes this key for impossible.
TEST(SpecProblems, TextThatTheParserTakesForImpossible) {
  const SpecReading reading = read_spec_text("[[*curriculum]]\nsteps = 5\n", "run.toml");
  EXPECT_FALSE(reading.ok());
  EXPECT_FALSE(reading.complete);
  ASSERT_EQ(reading.problems.size(), 1u);
  EXPECT_FALSE(reading.problems[0].message.empty());
  EXPECT_FALSE(read_spec_text("seed = 1\u00a1\n", "run.toml").complete);
}

TEST(SpecProblems, UnknownPresets) {
  EXPECT_EQ(texts(read_spec_text("preset = \"dmeo\"", "run.toml")).at(0).substr(0, 45),
            "run.toml:1: preset: there is no preset \"dmeo\"");
  EXPECT_THROW(load_spec("dmeo"), Error);
  try {
    load_spec("dmeo");
  } catch (const Error& problem) {
    EXPECT_EQ(problem.hint(), "did you mean demo?");
  }
  EXPECT_THROW(load_spec("/nowhere/run.toml"), Error);
}

TEST(SpecProblems, PresetsThatReferToEachOtherEnd) {
  test::TemporaryFolder folder;
  test::write_bytes(folder.path() / "a.toml", "preset = \"b.toml\"");
  test::write_bytes(folder.path() / "b.toml", "preset = \"a.toml\"");
  EXPECT_FALSE(read_spec(folder.path() / "a.toml").ok());
}

// ---- Layers -------------------------------------------------------------------------------------

TEST(SpecLayers, OverridesWinOverTheFileAndTheFileOverThePreset) {
  const SpecReading reading = read_spec_text(
      "preset = \"demo\"\n[model]\nhidden_size = 192\nintermediate_size = 500", "run.toml",
      {"model.hidden_size=256", "curriculum[0].steps = 12", "run.name=my run", "run.tags=a",
       "run.notes=2024-01-01", "curriculum[0].learning_rate=2e-3", "optimiser.moments=bf16",
       "samples.prompts=[\"x\", \"y\"]"});
  EXPECT_EQ(texts(reading), Lines());
  const RunSpec& spec = reading.spec;
  EXPECT_EQ(spec.model.hidden_size, 256);
  EXPECT_EQ(spec.model.intermediate_size, 500);
  EXPECT_EQ(spec.model.num_hidden_layers, 4);
  EXPECT_EQ(spec.curriculum.at(0).steps, 12);
  EXPECT_EQ(spec.curriculum.at(0).learning_rate.size(), 1u);
  EXPECT_EQ(spec.curriculum.at(0).learning_rate.at(0).to, 2e-3);
  EXPECT_EQ(spec.run.name, "my run");
  EXPECT_EQ(spec.run.notes, "2024-01-01");
  EXPECT_EQ(spec.run.tags, Lines({"a"}));
  EXPECT_EQ(spec.optimiser.moments, DType::BF16);
  EXPECT_EQ(spec.samples.prompts.size(), 2u);
  EXPECT_EQ(spec.run.preset, "demo");
}

TEST(SpecLayers, BadOverridesAreProblemsOfTheCommandLine) {
  EXPECT_EQ(problems_of("", {"model.hiden_size=3"}),
            Lines({"command line: model.hiden_size: unknown key; did you mean \"hidden_size\"?"}));
  EXPECT_EQ(problems_of("", {"curriculum[3].steps=3"}),
            Lines({"command line: curriculum: has 1 element; expected an index from 0 to 0"}));
  EXPECT_EQ(problems_of("", {"curriculum.steps=3"}),
            Lines({"command line: curriculum: needs an index; expected curriculum[0]"}));
  EXPECT_EQ(problems_of("", {"nonsense"}),
            Lines({"command line: nonsense: has no value; expected key=value, like "
                   "model.hidden_size=512"}));
  for (const char* text :
       {"=", "=3", ".=3", "model=", "model.=1", "a[=1", "a[]=1", "curriculum[]=1",
        "curriculum[-1].steps=1", "model.hidden_size=", "x=\xff\xfe", "run.name=\xff"}) {
    EXPECT_NO_THROW(problems_of("", {text})) << text;
  }
}

TEST(SpecLayers, WholeNumbersMayBeWrittenAsFloats) {
  const SpecReading reading = read_spec_text(
      "preset = \"demo\"\n[[curriculum]]\ntokens = 14.8e12\nbatch_sequences = 8\n"
      "learning_rate = 1e-3",
      "run.toml");
  EXPECT_EQ(texts(reading), Lines());
  EXPECT_EQ(reading.spec.curriculum.at(0).tokens, 14'800'000'000'000);
}

TEST(SpecLayers, LoadingMakesPathsAbsolute) {
  test::TemporaryFolder folder;
  test::write_bytes(folder.path() / "run.toml",
                    "preset = \"demo\"\n[[data.sources]]\nname = \"a\"\n"
                    "paths = [\"text/a.txt\", \"/b\", \"resource:sample\", \"~/c\"]");
  const RunSpec spec = load_spec((folder.path() / "run.toml").string());
  EXPECT_EQ(spec.data.sources.at(0).paths,
            Lines({(folder.path() / "text/a.txt").string(), "/b", "resource:sample", "~/c"}));
}

TEST(SpecLayers, HardTextSurvivesWritingAndReading) {
  RunSpec spec = test::small_spec();
  spec.run.notes = "tab\t quote\" back\\slash\nline\r\x01 \xE4\xB8\xAD \xF0\x9F\x98\x80";
  spec.run.tags = {"", "a b", "#", "'''"};
  spec.curriculum[0].mixture = {{"web", 0.1}, {"code", 1.0 / 3}};
  spec.curriculum[0].learning_rate[0].from = 1.0 / 3;
  spec.optimiser.epsilon = 1.2345678901234567e-300;
  const SpecReading again = read_spec_text(write_spec(spec), "run.toml");
  EXPECT_EQ(again.spec.run.notes, spec.run.notes);
  EXPECT_EQ(again.spec.run.tags, spec.run.tags);
  EXPECT_EQ(again.spec.optimiser.epsilon, spec.optimiser.epsilon);
  EXPECT_EQ(again.spec.curriculum[0].learning_rate[0].from, 1.0 / 3);
  const Mixture sorted = {{"code", 1.0 / 3}, {"web", 0.1}};
  EXPECT_EQ(again.spec.curriculum[0].mixture, sorted);
}

// ---- The table ----------------------------------------------------------------------------------

TEST(SpecTable, EveryDefaultIsValidAndEveryKeyIsDescribed) {
  for (const auto& entry : spec::describe_json()) {
    const std::string path = entry.at("path");
    EXPECT_FALSE(entry.at("help").get<std::string>().empty()) << path;
    const spec::Key* key = spec::find_key(path);
    ASSERT_NE(key, nullptr) << path;
    if (!key->is_plain()) continue;
    EXPECT_FALSE(spec::check_value(*key, spec::default_value(path))) << path;
  }
  EXPECT_NE(spec::describe_text().find("curriculum[].sequence_length"), std::string::npos);
}

TEST(SpecTable, GetAndSetByPath) {
  RunSpec spec = test::small_spec();
  EXPECT_EQ(spec::get_value(spec, "model.hidden_size"), spec::Value(std::int64_t{128}));
  EXPECT_FALSE(spec::set_value(spec, "curriculum[0].mtp_lambda", std::int64_t{1}));
  EXPECT_EQ(spec.curriculum[0].mtp_lambda, 1.0);
  const auto problem = spec::set_value(spec, "model.hidden_size", std::int64_t{-1});
  ASSERT_TRUE(problem);
  EXPECT_EQ(problem->key, "model.hidden_size");
  EXPECT_EQ(spec.model.hidden_size, 128);
  EXPECT_FALSE(spec::set_value(spec, "curriculum[0].yarn_factor", 2.0));
  EXPECT_FALSE(spec::set_value(spec, "curriculum[0].yarn_factor", std::monostate()));
  EXPECT_FALSE(spec.curriculum[0].yarn_factor);
  EXPECT_THROW(spec::get_value(spec, "model"), Error);
  EXPECT_THROW(spec::get_value(spec, "model.nothing"), Error);
  EXPECT_TRUE(spec::set_text(spec, "data.sources", "[{ name = \"a\", paths = \"x\" }]").empty());
  EXPECT_EQ(spec.data.sources.size(), 1u);
  EXPECT_EQ(spec::set_text(spec, "model.hidden_size", "huge").size(), 1u);
}

TEST(SpecTable, NearestWords) {
  EXPECT_EQ(nearest_word("lenght", {"length", "width"}), "length");
  EXPECT_EQ(nearest_word("zzz", {"length", "width"}), "");
  EXPECT_EQ(nearest_word("", {"ab"}), "");
}

TEST(Paths, FilesAreReplacedWholeOrNotAtAll) {
  test::TemporaryFolder folder;
  const auto path = folder.path() / "a.txt";
  write_file_atomically(path, "one");
  write_file_atomically(path, "two");
  EXPECT_EQ(read_file(path), "two");
  EXPECT_THROW(write_file_atomically(folder.path() / "missing" / "a", "x"), Error);
  EXPECT_THROW(read_file(folder.path() / "nothing"), Error);
  EXPECT_THROW(read_file(folder.path()), Error);
  EXPECT_THROW(read_file(path, 2), Error);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

}  // namespace
}  // namespace tessera
