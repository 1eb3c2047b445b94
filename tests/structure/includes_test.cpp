// SPDX-License-Identifier: MIT
// Reads every source of the repository against the rules of includes.h, and shows of each rule that
// it can fail.
#include "tests/structure/includes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "tests/build_paths.h"

namespace tessera::structure {
namespace {

// The findings for a source of one include, under a right licence line.
std::vector<Finding> findings(const std::string& path, const std::string& include) {
  return check_source(path, "// SPDX-License-Identifier: MIT\n#include " + include + "\n");
}

void expect_wrong(const std::string& path, const std::string& include, const std::string& word) {
  const std::vector<Finding> found = findings(path, include);
  ASSERT_EQ(found.size(), 1u) << path << " with " << include << "\n" << to_text(found);
  EXPECT_EQ(found[0].line, 2);
  EXPECT_NE(found[0].what.find(word), std::string::npos) << to_text(found);
}

void expect_right(const std::string& path, const std::string& include) {
  const std::vector<Finding> found = findings(path, include);
  EXPECT_TRUE(found.empty()) << path << " with " << include << "\n" << to_text(found);
}

TEST(Includes, of_this_repository_follow_the_rules) {
  const std::filesystem::path root = TESSERA_SOURCE_DIR;
  const std::vector<std::string> paths = sources_below(root);
  // A walk that finds nothing would pass everything.
  ASSERT_GT(paths.size(), 50u);
  ASSERT_TRUE(std::ranges::binary_search(paths, "core/base/error.h"));
  ASSERT_TRUE(std::ranges::binary_search(paths, "tests/structure/includes_test.cpp"));
  std::vector<Finding> all;
  for (const std::string& path : paths) {
    std::ifstream file(root / path);
    std::ostringstream text;
    text << file.rdbuf();
    ASSERT_TRUE(file.good()) << path;
    std::ranges::copy(check_source(path, text.str()), std::back_inserter(all));
  }
  EXPECT_TRUE(all.empty()) << to_text(all);
}

TEST(Includes, follow_the_arrows_between_levels) {
  expect_right("kernels/router/router.h", "\"core/base/op.h\"");
  expect_right("core/model/moe.cpp", "\"kernels/router/router.h\"");
  expect_right("core/train/trainer.cpp", "\"distributed/mesh.h\"");
  expect_right("ui/pages/monitor/tab.cpp", "\"core/run/run_folder.h\"");
  expect_right("app/cli_main.cpp", "\"core/train/trainer.h\"");
  expect_right("tests/kernels/kernels_test.cpp", "\"kernels/cases.h\"");
  expect_wrong("core/base/op.cpp", "\"kernels/router/router.h\"", "wrong arrow");
  expect_wrong("kernels/router/router.h", "\"core/config/model_config.h\"", "wrong arrow");
  expect_wrong("kernels/router/router.h", "\"distributed/mesh.h\"", "wrong arrow");
  expect_wrong("distributed/mesh.h", "\"kernels/router/router.h\"", "wrong arrow");
  expect_wrong("core/train/trainer.cpp", "\"ui/bridge/runs/run_feed.h\"", "wrong arrow");
  expect_wrong("core/train/trainer.cpp", "\"app/compose.h\"", "wrong arrow");
  expect_wrong("ui/pages/monitor.cpp", "\"kernels/router/router.h\"", "wrong arrow");
  expect_wrong("ui/pages/monitor.cpp", "\"distributed/launcher.h\"", "wrong arrow");
  expect_wrong("app/cli_main.cpp", "\"tests/structure/includes.h\"", "wrong arrow");
}

TEST(Includes, follow_the_order_inside_core) {
  expect_right("core/checkpoint/hf_config.h", "\"core/config/model_config.h\"");
  expect_right("core/train/trainer.cpp", "\"core/checkpoint/checkpoint.h\"");
  expect_right("core/train/train_run.cpp", "\"core/infer/generate.h\"");
  expect_right("core/rl/rollout.cpp", "\"core/infer/engine.h\"");
  expect_wrong("core/infer/engine.cpp", "\"core/train/trainer.h\"", "wrong arrow");
  expect_wrong("core/checkpoint/checkpoint.h", "\"core/model/moe.h\"", "wrong arrow");
  expect_wrong("core/spec/spec.h", "\"core/model/model.h\"", "wrong arrow");
  expect_wrong("core/spec/spec.h", "\"kernels/product/product.h\"", "wrong arrow");
  expect_wrong("core/checkpoint/checkpoint.h", "\"core/train/trainer.h\"", "wrong arrow");
  expect_wrong("core/model/model.h", "\"core/spec/spec.h\"", "wrong arrow");
  expect_wrong("core/tokenizer/train.h", "\"core/data/build.h\"", "wrong arrow");
  expect_wrong("core/spec/spec.h", "\"core/plan/plan.h\"", "wrong arrow");
  expect_wrong("core/train/trainer.cpp", "\"core/eval/eval.h\"", "wrong arrow");
  expect_wrong("core/model/model.cpp", "\"core/base/cuda/stream.h\"", "wrong arrow");
}

TEST(Includes, follow_the_order_inside_the_studio) {
  expect_right("ui/pages/monitor/tab.cpp", "\"ui/widgets/chart/chart.h\"");
  expect_right("ui/pages/pages.cpp", "\"ui/pages/chat/chat_page.h\"");
  expect_right("ui/shell/main_window.cpp", "\"ui/pages/page.h\"");
  expect_right("ui/bridge/chat/chat_store.cpp", "\"ui/bridge/runs/run_store.h\"");
  expect_right("ui/widgets/term.cpp", "\"ui/shell_context.h\"");
  expect_wrong("ui/pages/monitor/tab.cpp", "\"ui/pages/runs/runs_page.h\"", "another page");
  expect_wrong("ui/pages/monitor/tab.cpp", "\"ui/shell/main_window.h\"", "wrong arrow");
  expect_wrong("ui/shell/main_window.cpp", "\"ui/pages/runs/runs_page.h\"", "wrong arrow");
  expect_wrong("ui/theme/style.cpp", "\"ui/widgets/numbers.h\"", "wrong arrow");
  expect_wrong("ui/bridge/launch/launcher.h", "\"ui/bridge/runs/run_store.h\"", "wrong arrow");
  expect_wrong("ui/bridge/runs/run_feed.h", "\"ui/widgets/numbers.h\"", "wrong arrow");
  expect_wrong("ui/widgets/numbers.cpp", "\"ui/widgets/chart/chart.h\"", "wrong arrow");
  expect_wrong("ui/bridge/runs/run_feed.h", "\"core/model/model.h\"", "wrong arrow");
  expect_wrong("ui/bridge/runs/run_feed.h", "\"core/train/trainer.h\"", "wrong arrow");
}

TEST(Includes, are_written_from_the_root) {
  expect_wrong("core/model/moe.cpp", "\"moe.h\"", "not a path from the root");
  expect_wrong("core/model/moe.cpp", "\"../../ui/theme/theme.h\"", "not a path from the root");
}

TEST(Includes, of_meta_object_code_are_a_files_own) {
  expect_right("tests/ui/chart_test.cpp", "\"chart_test.moc\"");
  expect_wrong("tests/ui/chart_test.cpp", "\"bridge_test.moc\"", "not a path from the root");
  expect_wrong("core/spec/spec.cpp", "\"spec.moc\"", "not a path from the root");
}

TEST(Includes, of_qt_stay_in_ui) {
  expect_right("ui/pages/monitor.cpp", "<QWidget>");
  expect_right("app/studio_main.cpp", "<QApplication>");
  expect_right("tests/ui/pages_test.cpp", "<QtTest/QtTest>");
  expect_wrong("core/run/run_store.cpp", "<QString>", "Qt below ui/");
  expect_wrong("core/run/run_store.cpp", "<QtCore/QObject>", "Qt below ui/");
  expect_wrong("app/cli_main.cpp", "<qstring.h>", "Qt below ui/");
  expect_wrong("tests/run/run_test.cpp", "<QTest>", "Qt below ui/");
}

TEST(Includes, of_cuda_stay_in_their_folders) {
  expect_right("kernels/product/product.cu", "<cublasLt.h>");
  expect_right("kernels/attention/attention_sm90.cuh", "<cuda_bf16.h>");
  expect_right("distributed/nccl/nccl_collective.cpp", "<nccl.h>");
  expect_right("core/base/cuda/stream.cpp", "<cuda_runtime.h>");
  expect_right("kernels/rope/rope.cu", "\"core/base/cuda/launch.h\"");
  expect_right("tests/kernels/attention_gpu_test.cpp", "<cuda_runtime.h>");
  expect_wrong("kernels/product/product.h", "<cuda_runtime.h>", "CUDA header");
  expect_wrong("core/base/memory.h", "<cuda_runtime.h>", "CUDA header");
  expect_wrong("core/model/model.cpp", "<cub/cub.cuh>", "CUDA header");
  expect_wrong("distributed/mpi/mpi_collective.cpp", "<nccl.h>", "CUDA header");
  expect_wrong("tests/kernels/kernels_test.cpp", "<cuda.h>", "CUDA header");
}

TEST(Includes, are_found_however_they_are_written) {
  const std::string head = "// SPDX-License-Identifier: MIT\n";
  EXPECT_EQ(check_source("core/run/a.cpp", head + "\t#  include\t<QString>  // why\n").size(), 1u);
  EXPECT_EQ(check_source("core/run/a.cpp", head + "// #include <QString>\n").size(), 0u);
  EXPECT_EQ(check_source("core/run/a.cpp", head + "#include <QString>\r\n").size(), 1u);
}

TEST(Kernels, check_shapes_in_contracts_alone) {
  const std::string text =
      "// SPDX-License-Identifier: MIT\n  expect_shape(where, \"x\", x, {-1, -1});\n";
  EXPECT_TRUE(check_source("kernels/rope/rope_contract.h", text).empty());
  EXPECT_EQ(check_source("kernels/rope/rope_cpu.cpp", text).size(), 1u);
  EXPECT_EQ(check_source("kernels/rope/rope.cu", text).size(), 1u);
}

TEST(Sources, begin_with_the_licence_line) {
  EXPECT_TRUE(check_source("core/base/a.h", "// SPDX-License-Identifier: MIT\n").empty());
  EXPECT_TRUE(check_source("core/CMakeLists.txt", "# SPDX-License-Identifier: MIT\n").empty());
  EXPECT_EQ(check_source("core/base/a.h", "#pragma once\n").size(), 1u);
  EXPECT_EQ(check_source("core/base/a.h", "\n// SPDX-License-Identifier: MIT\n").size(), 1u);
  EXPECT_EQ(check_source("core/base/a.h", "").size(), 1u);
}

}  // namespace
}  // namespace tessera::structure
