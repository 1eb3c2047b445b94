// SPDX-License-Identifier: MIT
// See includes.h. The whole house is the table kAreas.
#include "tests/structure/includes.h"

#include <fmt/format.h>

#include <algorithm>
#include <regex>
#include <sstream>

namespace tessera::structure {
namespace {

struct Area {
  std::string_view folder;
  std::string_view may_include;  // folders and single headers, beside the area itself
  std::string_view also = {};    // likewise: what several rows share
};

// What the studio knows of core/: nothing that computes.
constexpr std::string_view kPlain =
    "core/base/ core/config/ core/spec/ core/events/ core/run/ core/launch/ core/history/";

// base <- kernels <- core <- ui <- app, base <- distributed <- core; inside core from top to
// bottom.
constexpr Area kAreas[] = {
    {"core/base/", ""},
    {"core/base/cuda/", "core/base/"},
    {"kernels/", "core/base/ core/base/cuda/"},
    {"distributed/", "core/base/"},
    {"distributed/nccl/", "core/base/ distributed/"},
    // Plain text and configuration, below all that computes: they know what an operation is
    // configured by, and nothing that runs one, so that the studio links no kernel for them.
    {"core/text/", "core/base/"},
    {"core/config/",
     "core/base/ core/text/ kernels/router/router_config.h kernels/balance/bias_update.h"},
    {"core/schedule/", "core/base/ core/config/"},
    // Of training, inference and plans alike, none of which may know the other.
    {"core/placement/", "core/base/"},
    {"core/spec/", "core/base/ core/config/ kernels/balance/bias_update.h"},
    {"core/events/", "core/base/"},
    {"core/run/", "core/base/ core/config/ core/spec/ core/events/"},
    // Below the history of runs: a host that starts them is told where they lie.
    {"core/launch/", "core/base/ core/config/ core/spec/ core/events/ core/run/"},
    {"core/history/", "core/base/ core/config/ core/spec/ core/events/ core/run/"},
    {"core/model/", "core/base/ core/config/ kernels/ distributed/"},
    // Fills a model with weights, and knows no more of it.
    {"core/checkpoint/", "core/base/ core/config/ core/model/model.h"},
    {"core/tokenizer/", "core/base/"},
    // Files for llama.cpp: weights, shape and vocabulary in one.
    {"core/gguf/", "core/base/ core/config/ core/model/model.h core/checkpoint/ core/tokenizer/"},
    {"core/template/", "core/base/ core/tokenizer/"},
    // What an answer may say; knows the bytes of tokens, and no model.
    {"core/grammar/", "core/base/ core/tokenizer/"},
    {"core/data/", "core/base/ core/tokenizer/"},
    {"core/infer/",
     "core/base/ core/config/ kernels/ distributed/ core/model/ core/checkpoint/ core/tokenizer/ "
     "core/template/ core/grammar/ core/spec/ core/run/"},
    {"core/serve/", "core/base/ core/config/ core/model/ core/infer/"},
    {"core/http/",
     "core/base/ core/config/ core/model/ core/checkpoint/ core/tokenizer/ core/template/ "
     "core/grammar/ core/infer/"},
    {"core/train/",
     "core/base/ core/config/ core/schedule/ kernels/ distributed/ core/model/ core/checkpoint/ "
     "core/tokenizer/ "
     "core/data/ core/spec/ core/events/ core/run/ core/infer/"},
    // A plan is a dry run of the trainer's own step.
    {"core/plan/",
     "core/base/ core/config/ core/schedule/ core/placement/ core/model/ core/checkpoint/ "
     "core/tokenizer/ "
     "core/data/ core/spec/ core/run/ core/history/ core/train/step_memory.h "
     "core/train/optimiser.h core/train/shards.h"},
    {"core/eval/",
     "core/base/ core/config/ kernels/ distributed/ core/model/ core/checkpoint/ core/tokenizer/ "
     "core/data/ core/spec/ core/events/ core/run/ core/plan/ core/train/ core/infer/"},
    {"core/rl/",
     "core/base/ core/config/ kernels/ distributed/ core/model/ core/checkpoint/ core/tokenizer/ "
     "core/data/ core/spec/ core/run/ core/plan/ core/train/ core/infer/ core/eval/"},
    // The studio: theme, and rooms between it and core/; what windows are made of; pages; the
    // shell.
    {"ui/shell_context", ""},
    {"ui/theme/", "core/base/ core/config/"},
    {"ui/bridge/desktop/", "core/base/ core/config/"},
    {"ui/bridge/runs/", "ui/bridge/desktop/", kPlain},
    {"ui/bridge/launch/", "ui/bridge/desktop/", kPlain},
    {"ui/bridge/chat/", "ui/bridge/desktop/ ui/bridge/runs/", kPlain},
    {"ui/bridge/draft/", "core/plan/ ui/bridge/desktop/ ui/bridge/launch/", kPlain},
    {"ui/widgets/",
     "ui/shell_context.h ui/theme/ ui/bridge/desktop/ ui/bridge/runs/ ui/bridge/launch/", kPlain},
    {"ui/models/", "ui/theme/ ui/bridge/runs/ ui/bridge/launch/ ui/widgets/", kPlain},
    {"ui/widgets/spec/",
     "core/plan/ ui/pages/page.h ui/theme/ ui/bridge/desktop/ ui/bridge/draft/ ui/widgets/",
     kPlain},
    {"ui/widgets/chart/", "ui/theme/ ui/bridge/desktop/ ui/bridge/runs/ ui/widgets/ ui/models/",
     kPlain},
    // NOTE: a page does not know another one; see wrong_page().
    {"ui/pages/",
     "core/plan/ ui/shell_context.h ui/theme/ ui/bridge/desktop/ ui/bridge/runs/ "
     "ui/bridge/launch/ ui/bridge/chat/ ui/bridge/draft/ ui/widgets/ ui/widgets/spec/ "
     "ui/widgets/chart/ ui/models/",
     kPlain},
    {"ui/shell/",
     "ui/shell_context.h ui/pages/page.h ui/theme/ ui/bridge/desktop/ ui/bridge/runs/ "
     "ui/bridge/launch/ ui/bridge/chat/ ui/bridge/draft/ ui/widgets/ ui/models/",
     kPlain},
    {"app/", "core/ kernels/ distributed/ distributed/nccl/ ui/"},
    {"tests/", "core/ kernels/ distributed/ distributed/nccl/ ui/ app/"},
};

constexpr std::string_view kTopFolders[] = {"app", "core", "distributed", "kernels", "tests", "ui"};

const Area* area_of(std::string_view path) {
  const Area* best = nullptr;
  for (const Area& area : kAreas) {
    if (!path.starts_with(area.folder)) continue;
    if (!best || area.folder.size() > best->folder.size()) best = &area;
  }
  return best;
}

bool listed(std::string_view list, std::string_view header) {
  std::istringstream words{std::string(list)};
  std::string word;
  const Area* target = area_of(header);
  while (words >> word) {
    if (word == header) return true;
    // "core/base/" does not open core/base/cuda/, an area of its own; "core/" opens all of core.
    const bool folder = word.ends_with('/') && header.starts_with(word);
    if (folder && (target->folder == word || !area_of(word))) return true;
    if (folder && area_of(word)->folder == target->folder) return true;
  }
  return false;
}

bool is_qt(const std::string& header) {
  static const std::regex qt("(Q[A-Z]|Qt[A-Z]|Qt/|q[a-z0-9]+\\.h$).*");
  return std::regex_match(header, qt);
}

bool is_cuda(const std::string& header) {
  static const std::regex cuda(
      "(cuda|cublas|cudnn|curand|cusparse|cusolver|nccl|nvml|nvtx|nvToolsExt).*"
      "|(cub|thrust|cute|cutlass)/.*|cooperative_groups.*|mma\\.h|device_launch_parameters\\.h");
  return std::regex_match(header, cuda);
}

bool qt_allowed(std::string_view path) {
  return path.starts_with("ui/") || path.starts_with("tests/ui/") ||
         path.starts_with("app/studio_");
}

bool cuda_allowed(const std::string& path) {
  // The contract kernels/x/x.h is read by everyone above, so it stays free of CUDA.
  static const std::regex contract("kernels/([a-z0-9_]+)/\\1\\.h");
  if (std::regex_match(path, contract)) return false;
  static const std::regex gpu_test("tests/kernels/.*gpu.*");
  return path.starts_with("kernels/") || path.starts_with("distributed/nccl/") ||
         path.starts_with("core/base/cuda/") || std::regex_match(path, gpu_test);
}

// The folder of a page: "ui/pages/chat/" of every file in it; empty elsewhere.
std::string_view page_of(std::string_view path) {
  constexpr std::string_view kPages = "ui/pages/";
  if (!path.starts_with(kPages)) return {};
  const std::size_t end = path.find('/', kPages.size());
  return end == path.npos ? std::string_view() : path.substr(0, end + 1);
}

bool wrong_page(std::string_view path, std::string_view header) {
  const std::string_view from = page_of(path), to = page_of(header);
  return !from.empty() && !to.empty() && from != to;
}

// What is wrong with `path` including `header`; empty where nothing is.
std::string wrong_include(const std::string& path, const std::string& header, bool quoted) {
  if (is_qt(header) && !qt_allowed(path)) return "Qt below ui/: " + header;
  if (is_cuda(header) && !cuda_allowed(path)) return "CUDA header: " + header;
  if (!quoted) return {};
  // What Qt's meta-object compiler makes of the file itself.
  const std::string stem = path.substr(path.rfind('/') + 1, path.rfind('.') - path.rfind('/') - 1);
  if (qt_allowed(path) && header == stem + ".moc") return {};
  const Area* from = area_of(path);
  const Area* to = area_of(header);
  if (!from) return "this folder has no row in the table of areas";
  if (!to) return fmt::format("\"{}\" is not a path from the root of the repository", header);
  if (wrong_page(path, header)) return "a page may not include another page: " + header;
  if (from == to || listed(from->may_include, header) || listed(from->also, header)) return {};
  return fmt::format("wrong arrow: {} may not include {}", from->folder, header);
}

bool is_source(const std::filesystem::path& path) {
  static const std::string_view endings[] = {".h", ".cpp", ".cu", ".cuh", ".cmake", ".in"};
  return path.filename() == "CMakeLists.txt" ||
         std::ranges::find(endings, path.extension().string()) != std::end(endings);
}

}  // namespace

std::string to_text(const std::vector<Finding>& findings) {
  std::string text;
  for (const Finding& f : findings) text += fmt::format("{}:{}: {}\n", f.file, f.line, f.what);
  return text;
}

// A twin of an operation that checks shapes by itself, so that the other may forget it.
static bool checks_shapes(const std::string& path, const std::string& line) {
  return path.starts_with("kernels/") && path != "kernels/arguments.h" &&
         !path.ends_with("_contract.h") && line.find("expect_shape(") != std::string::npos;
}

std::vector<Finding> check_source(const std::string& path, std::string_view text) {
  static const std::regex include("\\s*#\\s*include\\s*([<\"])([^>\"]+)[>\"].*");
  std::vector<Finding> findings;
  std::istringstream lines{std::string(text)};
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    if (number == 1 && line.find("SPDX-License-Identifier: MIT") == std::string::npos) {
      findings.push_back({path, 1, "the first line is not the licence line (SPDX)"});
    }
    if (line.ends_with('\r')) line.pop_back();
    if (checks_shapes(path, line)) {
      findings.push_back({path, number,
                          "shapes are checked in the room's *_contract.h, which every device "
                          "shares"});
    }
    std::smatch match;
    if (!std::regex_match(line, match, include)) continue;
    std::string wrong = wrong_include(path, match[2], match[1] == "\"");
    if (!wrong.empty()) findings.push_back({path, number, std::move(wrong)});
  }
  if (text.empty()) findings.push_back({path, 0, "the file is empty"});
  return findings;
}

std::vector<std::string> sources_below(const std::filesystem::path& root) {
  namespace fs = std::filesystem;
  std::vector<std::string> paths;
  for (std::string_view folder : kTopFolders) {
    if (!fs::is_directory(root / folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      if (!entry.is_regular_file() || !is_source(entry.path())) continue;
      paths.push_back(fs::relative(entry.path(), root).generic_string());
    }
  }
  std::ranges::sort(paths);
  return paths;
}

}  // namespace tessera::structure
