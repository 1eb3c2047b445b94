// SPDX-License-Identifier: MIT
// hello: a rank of a test launch. It meets the others as ranks that train do, and trains nothing.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>

#include "app/commands.h"
#include "app/host_meeting.h"
#include "app/ranks.h"
#include "app/terminal.h"
#include "app/test_launch.h"
#include "app/threads.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/train/hello.h"
#include "core/train/link_probe.h"

namespace tessera::app {

namespace {
struct HelloOptions {
  std::string spec, names;
  double probe_s = 0;
};

/// What the launch calls the host of each rank.
std::vector<std::string> names_of_ranks(const HelloOptions& options,
                                        const std::vector<RankFacts>& facts) {
  std::vector<std::string> names;
  std::istringstream words(options.names);
  for (std::string word; std::getline(words, word, ',');) names.push_back(word);
  for (std::size_t rank = names.size(); rank < facts.size(); ++rank) {
    names.push_back(facts[rank].host);
  }
  names.resize(facts.size());
  return names;
}

/// On rank 0: every rank has answered by now.
void tell_all(const std::vector<RankFacts>& facts, const std::vector<std::string>& names,
              bool same_sums) {
  for (std::size_t i = 0; i < facts.size(); ++i) {
    const RankFacts& one = facts[i];
    std::printf("hello from rank %zu on %s: %lld processors, %lld threads, %s free in /dev/shm\n",
                i, names[i].c_str(), static_cast<long long>(one.processors),
                static_cast<long long>(one.threads),
                byte_count(static_cast<double>(one.shared)).c_str());
  }
  std::string fatal;
  for (const HelloProblem& problem : compare_facts(facts, same_sums)) {
    if (problem.fatal) {
      fatal += (fatal.empty() ? "" : "; ") + problem.text;
    } else {
      std::printf("warning: %s\n", problem.text.c_str());
    }
  }
  std::fflush(stdout);
  if (!fatal.empty()) throw Error("ranks", fatal);
}

void hello(const HelloOptions& options) {
  auto place = rank_environment();
  if (!place) {
    throw Error("hello", "is what a test launch starts on hosts",
                "tessera launch SPEC --hello --hosts a:4,b:4");
  }
  const RunSpec spec = load_spec(options.spec, {});
  use_threads(spec);
  RankFacts own = local_facts();
  own.build = own_build();
  own.spec = hash_text(read_file(options.spec));
  std::unique_ptr<Communicator> ranks;
  if (place->size > 1) ranks = connect_ranks(spec, *place);
  const std::vector<RankFacts> facts =
      ranks ? exchange_facts(*ranks, std::move(own)) : std::vector<RankFacts>{own};
  const std::vector<std::string> names = names_of_ranks(options, facts);
  if (place->rank == 0) tell_all(facts, names, spec.parallel.sums == SumOrder::Canonical);
  if (!ranks) return;
  if (options.probe_s > 0) {
    for (const LinkSpeed& link : probe_links(*ranks, names, options.probe_s)) {
      if (place->rank == 0) std::printf("%s\n", link_line(link).c_str());
    }
  }
  Context context;
  ranks->barrier(context);  // nobody leaves while another one still hears
}
}  // namespace

std::string link_line(const LinkSpeed& link) {
  return nlohmann::json{{"from", link.from}, {"to", link.to}, {"bytes_per_s", link.bytes_per_s}}
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::optional<LinkSpeed> link_of_line(const std::string& line) {
  const auto o = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!o.is_object()) return {};
  const auto from = o.find("from"), to = o.find("to"), speed = o.find("bytes_per_s");
  for (const auto& name : {from, to}) {
    if (name == o.end() || !name->is_string()) return {};
  }
  if (speed == o.end() || !speed->is_number()) return {};
  return LinkSpeed{from->get<std::string>(), to->get<std::string>(), speed->get<double>()};
}

void add_hello(CLI::App& app) {
  auto options = std::make_shared<HelloOptions>();
  auto* command = app.add_subcommand("hello", "A rank of a test launch")->group("");
  command->add_option("spec", options->spec, "A TOML file")->required();
  command->add_option("--names", options->names, "What the launch calls the host of each rank");
  command->add_option("--probe-seconds", options->probe_s, "Measure each direction for so long");
  command->callback([options] { hello(*options); });
}

}  // namespace tessera::app
