// SPDX-License-Identifier: MIT
// verify, export, import, selftest.
#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <map>

#include "app/commands.h"
#include "app/devices.h"
#include "app/terminal.h"
#include "core/base/backend.h"
#include "core/base/error.h"
#include "core/checkpoint/checkpoint.h"
#include "core/config/paths.h"
#include "core/eval/verify.h"
#include "core/gguf/gguf_export.h"
#include "core/gguf/gguf_file.h"
#include "core/gguf/gguf_import.h"
#include "core/run/run_folder.h"
#include "kernels/cases.h"

namespace tessera::app {

namespace fs = std::filesystem;

namespace {
struct VerifyArguments {
  VerifyOptions options;
  std::string precision = "fp32", device = "cpu";
};

Device device_of(const std::string& name) {
  return name == "cuda" ? Device::Cuda : Device::Cpu;
}

void add_device(CLI::App& command, std::string& device) {
  command.add_option("--device", device, "cpu or cuda")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->capture_default_str();
}

void print_within_tolerances(const std::vector<VerifyRow>& rows) {
  std::vector<std::vector<std::string>> cells;
  std::size_t failed = 0;
  for (const VerifyRow& row : rows) {
    failed += row.passed() ? 0 : 1;
    cells.push_back({row.what, row.measure, fmt::format("{:.2e}", row.error),
                     fmt::format("{:.0e}", row.tolerance), row.passed() ? "ok" : "FAILED"});
  }
  std::fputs(table({"what", "measure", "error", "tolerance", ""}, cells).c_str(), stdout);
  std::printf("%zu of %zu within the tolerances of FP32\n", rows.size() - failed, rows.size());
  if (failed > 0) throw Exit{1};
}

/// The recorded outputs are of FP32: errors of other recipes are shown, and only a NaN fails.
void print_rounded(const std::vector<VerifyRow>& rows, const std::string& recipe) {
  std::vector<std::vector<std::string>> cells;
  std::map<std::string, const VerifyRow*> largest;
  std::size_t broken = 0;
  for (const VerifyRow& row : rows) {
    cells.push_back({row.what, row.measure, fmt::format("{:.2e}", row.error)});
    if (!std::isfinite(row.error)) ++broken;
    const VerifyRow*& most = largest[row.measure];
    if (!most || row.error > most->error) most = &row;
  }
  std::fputs(table({"what", "measure", "error"}, cells).c_str(), stdout);
  std::printf("\nlargest in %s, against FP32:\n", recipe.c_str());
  cells.clear();
  for (const auto& [measure, row] : largest) {
    cells.push_back({measure, fmt::format("{:.2e}", row->error), row->what});
  }
  std::fputs(table({"measure", "error", "of"}, cells).c_str(), stdout);
  std::printf(
      "\n%s has fewer bits in the operands of its products (BF16: a relative error of up to 2^-9\n"
      "each, FP8 E4M3: 2^-4). Where two experts are nearly as good another one may be picked, and\n"
      "that token's values then move by as much as an expert contributes: its logits and the\n"
      "gradients of its layers most.\n",
      recipe.c_str());
  if (broken > 0) throw Exit{1};
}

void run_verify(VerifyArguments arguments) {
  arguments.options.recipe = recipe_from_name(arguments.precision);
  arguments.options.device = device_of(arguments.device);
  const std::vector<VerifyRow> rows = verify(arguments.options);
  if (arguments.options.recipe == Recipe::Fp32) {
    print_within_tolerances(rows);
  } else {
    print_rounded(rows, arguments.precision);
  }
}

struct ConvertArguments {
  std::string from, to, dtype = "bf16";
  std::uint64_t shard_mb = kShardBytes / 1'000'000;
  std::string gguf, type = "f16";  ///< export writes this one file instead of a folder
};

fs::path checkpoint_of(const std::string& from) {
  if (RunFolder::is_run(from)) {
    const auto latest = find_latest_checkpoint(from);
    if (!latest) throw Error(from, "the run has no whole checkpoint yet");
    return latest->path;
  }
  if (fs::exists(from)) return from;
  const RunFolder folder = RunFolder::find(from, runs_folder());
  return checkpoint_of(folder.path().string());
}

void convert(const ConvertArguments& a) {
  ExportOptions options;
  options.dtype = a.dtype == "f32" ? DType::F32 : DType::BF16;
  options.shard_bytes = a.shard_mb * 1'000'000;
  if (is_gguf(a.from)) {
    import_gguf(a.from, a.to, options);
    std::printf("wrote %s from %s, weights in %s\n", a.to.c_str(), a.from.c_str(), a.dtype.c_str());
    return;
  }
  const fs::path from = checkpoint_of(a.from);
  convert_folder(from, a.to, options);
  std::printf("wrote %s from %s, weights in %s\n", a.to.c_str(), from.c_str(), a.dtype.c_str());
}

void write_gguf(const ConvertArguments& a) {
  const fs::path from = checkpoint_of(a.from);
  const GgufExport done = export_gguf(from, a.gguf, gguf_type_from_option(a.type));
  std::string types;
  for (const auto& [name, count] : done.tensors) {
    types += fmt::format("{}{} {}", types.empty() ? "" : ", ", count, name);
  }
  std::printf("wrote %s from %s: %s, tensors: %s\n", a.gguf.c_str(), from.c_str(),
              byte_count(static_cast<double>(done.bytes)).c_str(), types.c_str());
}

void export_model(const ConvertArguments& a) {
  const bool folder = !a.to.empty(), file = !a.gguf.empty();
  if (folder == file) {
    throw Error("export",
                folder ? "a new folder and --gguf are both named" : "nothing is named to write to",
                "name a new folder, or --gguf and a new file");
  }
  return file ? write_gguf(a) : convert(a);
}

std::shared_ptr<ConvertArguments> add_convert_options(CLI::App& command, const char* from,
                                                      bool to_is_required) {
  auto a = std::make_shared<ConvertArguments>();
  command.add_option("from", a->from, from)->required();
  command.add_option("to", a->to, "New folder")->required(to_is_required);
  command.add_option("--dtype", a->dtype, "bf16 or f32")
      ->check(CLI::IsMember({"bf16", "f32"}))
      ->capture_default_str();
  command.add_option("--shard-mb", a->shard_mb, "Largest file, in MB")->capture_default_str();
  return a;
}

const char* outcome_name(kernels::CaseOutcome outcome) {
  if (outcome == kernels::CaseOutcome::Passed) return "ok";
  return outcome == kernels::CaseOutcome::Failed ? "FAILED" : "not on this device";
}

void selftest(const std::string& op, const std::string& device, bool quick) {
  const Device on = device_of(device);
  require_device(on);
  if (on == Device::Cuda) print_devices();
  std::size_t failed = 0, total = 0;
  std::printf("%-28s %-52s %-5s %10s %10s\n", "operation", "case", "type", "error", "tolerance");
  kernels::CaseList cases = kernels::all_cases();
  if (quick) std::erase_if(cases, [](const kernels::Case& c) { return c.benchmark; });
  kernels::run_cases(cases, on, op, [&](const kernels::CaseResult& r) {
    ++total;
    failed += r.outcome == kernels::CaseOutcome::Failed ? 1 : 0;
    std::printf("%-28s %-52s %-5s %10.2e %10.0e %s %s\n", r.op.c_str(), r.label.c_str(),
                kernels::short_name(r.dtype).c_str(), r.error, r.tolerance, outcome_name(r.outcome),
                r.message.c_str());
    std::fflush(stdout);
  });
  require(total > 0, "selftest", "there is no operation \"{}\"", op);
  std::printf("%zu cases, %zu failed\n", total, failed);
  if (failed > 0) throw Exit{1};
}
}  // namespace

void add_verify(CLI::App& app) {
  auto* command = app.add_subcommand("verify", "Compare a model with recorded outputs");
  auto a = std::make_shared<VerifyArguments>();
  command->add_option("model", a->options.model, "Folder in the released format")->required();
  command->add_option("--reference", a->options.reference, "reference.safetensors")->required();
  command->add_option("--grads", a->options.grads, "grads.safetensors");
  command->add_option("--train", a->options.train, "Folder with train.safetensors and train.json");
  command->add_option("--precision", a->precision, "fp32, bf16, tensorwise or blockwise")
      ->capture_default_str();
  add_device(*command, a->device);
  command->callback([a] { run_verify(*a); });
}

void add_export(CLI::App& app) {
  auto* command = app.add_subcommand(
      "export", "Write a checkpoint as a released folder, or as one GGUF file for llama.cpp");
  auto a = add_convert_options(*command, "A run, a checkpoint or a released folder", false);
  auto* gguf = command->add_option("--gguf", a->gguf, "New GGUF file, instead of a folder");
  command
      ->add_option("--type", a->type,
                   "Weights of the GGUF file: f32, f16, bf16, q8_0, q4_0 or q4_k")
      ->needs(gguf)
      ->check(CLI::IsMember(gguf_type_options()))
      ->capture_default_str();
  gguf->excludes(command->get_option("--dtype"))->excludes(command->get_option("--shard-mb"));
  command->callback([a] { export_model(*a); });
}

void add_import(CLI::App& app) {
  auto* command = app.add_subcommand(
      "import", "Read a released folder (FP8 too) or a GGUF file and write it with plain weights");
  auto a = add_convert_options(*command, "Folder in the released format, or GGUF file", true);
  command->callback([a] { convert(*a); });
}

void add_selftest(CLI::App& app) {
  auto* command = app.add_subcommand("selftest", "Check every operation on this machine");
  auto op = std::make_shared<std::string>();
  auto device = std::make_shared<std::string>("cpu");
  command->add_option("--op", *op, "Only this operation");
  add_device(*command, *device);
  auto quick = std::make_shared<bool>(false);
  command->add_flag("--quick", *quick, "Leave out the shapes of real models");
  command->callback([op, device, quick] { selftest(*op, *device, *quick); });
}

}  // namespace tessera::app
