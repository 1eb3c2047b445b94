// SPDX-License-Identifier: MIT
// ZeRO-1: ranks that share weights share out their moments. The losses of all of it, no bit else,
// and exactly the bytes on the wire that the formula has.
#include <algorithm>
#include <map>
#include <memory>
#include <mutex>

#include "core/base/transfer.h"
#include "core/train/trainer.h"
#include "tests/train/rank_runs.h"
#include "tests/train/workspace.h"

namespace tessera {
namespace {

using Kind = Communication::Kind;
using tiny_run::on_ranks, tiny_run::Workspace;

// ---- Shares -------------------------------------------------------------------------------------

/// Every element is in one rank's pieces, or as part of a rest in all ranks'.
TEST(Shares, CoverEveryElementOnce) {
  ModelConfig config = Workspace().spec().model;
  config.hidden_size = 36;  // so that parameters have padding
  const Model model(config, Precision{}, /*for_training=*/true, Device::Cpu, /*measuring=*/true);
  const ParameterSet& set = model.parameters();
  for (const std::int64_t count : {1, 2, 3, 4, 7, 8}) {
    for (const std::int64_t most : {std::int64_t{100}, std::int64_t{5000}, kBucketElements}) {
      std::map<std::string, std::vector<std::int64_t>> times;
      std::int64_t rests = 0;
      for (std::int64_t rank = 0; rank < count; ++rank) {
        const SharingRanks ranks = sharing_ranks({.data = count}, place_of({.data = count}, rank));
        const std::vector<Bucket> buckets = buckets_of(set, ranks, most);
        for (const Bucket& bucket : buckets) {
          EXPECT_EQ(bucket.share % 16, 0);
          EXPECT_LE(bucket.end - bucket.from, most);
          EXPECT_LT(bucket.end - bucket.rest(), 16 * count);
          if (rank == 0) rests += bucket.end - bucket.rest();
        }
        for (const Piece& piece : own_pieces(set, buckets, ranks)) {
          auto& of = times[piece.parameter->name];
          of.resize(static_cast<std::size_t>(piece.parameter->value.numel()));
          for (std::int64_t i = 0; i < piece.count; ++i) {
            ++of[static_cast<std::size_t>(piece.first + i)];
          }
        }
      }
      std::int64_t everywhere = 0;
      for (const Parameter& p : set.all()) {
        if (!p.trained) continue;
        ASSERT_EQ(std::ssize(times[p.name]), p.value.numel()) << p.name;
        for (const std::int64_t n : times[p.name]) {
          EXPECT_TRUE(n == 1 || n == count) << p.name << " " << n;
          everywhere += n == count && count > 1 ? 1 : 0;
        }
      }
      EXPECT_LE(everywhere, rests);
    }
  }
}

// ---- Ranks that count ---------------------------------------------------------------------------

/// Bytes that a rank sends to others, by kind of call.
using Wire = std::map<Kind, std::int64_t>;

/// Counts what goes over the wire, and leaves the work to other ranks.
class CountingRanks : public Communicator {
 public:
  CountingRanks(Communicator& inner, Wire& wire) : inner_(inner), wire_(wire) {}
  CountingRanks(std::unique_ptr<Communicator> inner, Wire& wire)
      : owned_(std::move(inner)), inner_(*owned_), wire_(wire) {}

  int rank() const override { return inner_.rank(); }
  int size() const override { return inner_.size(); }

 protected:
  void carry_out(Context& context, const Communication& call) override {
    const std::int64_t others = size() - 1;
    switch (call.kind) {
      case Kind::AllReduce:
        wire_[call.kind] += call.bytes();
        return inner_.all_reduce(context, call.send);
      case Kind::ReduceScatter:
        wire_[call.kind] += others * static_cast<std::int64_t>(call.receive.bytes());
        return inner_.reduce_scatter(context, call.send, call.receive);
      case Kind::AllGather:
        wire_[call.kind] += others * static_cast<std::int64_t>(call.send.bytes());
        return inner_.all_gather(context, call.send, call.receive);
      case Kind::Send:
        return inner_.send(context, call.send, call.peer);
      case Kind::Receive:
        return inner_.receive(context, call.receive, call.peer);
      case Kind::Broadcast:
        return inner_.broadcast(context, call.send, call.peer);
      case Kind::AllToAll:
        return inner_.all_to_all(context, call.send, call.send_rows, call.receive,
                                 call.receive_rows);
      case Kind::Barrier:
        return inner_.barrier(context);
    }
  }
  std::unique_ptr<Communicator> make_group(int colour) override {
    return std::make_unique<CountingRanks>(inner_.split(colour), wire_);
  }
  void end_others(const std::string& reason) noexcept override { inner_.abort(reason); }

 private:
  std::unique_ptr<Communicator> owned_;
  Communicator& inner_;
  Wire& wire_;
};

/// What a rank saw.
struct Seen {
  std::vector<double> losses, norms, clips;
  std::map<std::string, std::vector<float>> weights;
  std::size_t memory = 0, moments = 0;
  Wire wire;  ///< of the last step
  std::int64_t flat_bytes = 0, loads = 0;
  std::vector<Bucket> buckets;
};

class Zero : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    workspace_ = new Workspace;
    workspace_->build();
  }
  static void TearDownTestSuite() { delete workspace_; }

  static RunSpec spec(std::int64_t zero) {
    RunSpec s = workspace_->spec();
    s.model.qk_rope_head_dim = 16;  // FP8 wants multiples of 16
    s.curriculum[0].steps = 6;
    s.curriculum[0].batch_sequences = 12;
    s.parallel.micro_batch_sequences = 1;
    s.parallel.zero = zero;
    s.optimiser.clip = 0.3;
    return s;
  }

  static Seen train(const RunSpec& s, Communicator& ranks, Wire& wire) {
    Seen seen;
    const auto dataset = data::Dataset::open(s.data.shards);
    const SpecialTokens specials = Tokenizer::load(s.tokenizer.path)->specials();
    Trainer trainer(s, pretraining_source(s, dataset, specials, ranks), specials, ranks);
    while (!trainer.finished()) {
      wire.clear();
      const StepReport report = trainer.step();
      seen.losses.push_back(report.loss);
      seen.norms.push_back(report.optimiser.grad_norm);
      seen.clips.push_back(report.optimiser.clip);
    }
    const ParameterSet& set = trainer.model().parameters();
    for (const Parameter& p : set.all()) seen.weights[p.name] = host_values<float>(p.value);
    seen.memory = trainer.memory_bytes();
    for (const NamedTensor& moment : trainer.contents().optimiser) {
      seen.moments += moment.data.bytes();
    }
    seen.wire = wire;
    seen.flat_bytes = static_cast<std::int64_t>(set.flat_gradients().bytes());
    seen.loads = trainer.loads().numel();
    seen.buckets = buckets_of(set, sharing_ranks(trainer.groups().mesh(), {}));
    return seen;
  }

  static std::vector<Seen> train_on(int count, const RunSpec& s) {
    std::vector<Seen> all(static_cast<std::size_t>(count));
    const auto errors = on_ranks(count, [&](Communicator& ranks) {
      Wire wire;
      CountingRanks counting(ranks, wire);
      all[static_cast<std::size_t>(ranks.rank())] = train(s, counting, wire);
    });
    for (const std::string& error : errors) EXPECT_EQ(error, "");
    return all;
  }

  static Workspace* workspace_;
};
Workspace* Zero::workspace_ = nullptr;

struct Case {
  const char* name;
  int ranks = 2;
  std::int64_t pipeline = 1;
  PrecisionRecipe recipe = PrecisionRecipe::Fp32;
  std::int64_t mtp = 1;  ///< without it the last stage has no token table
};

TEST_F(Zero, HasEveryBitThatReplicasHave) {
  for (const Case& c : {Case{"two", 2}, Case{"three", 3}, Case{"four", 4}, Case{"PP2 x 2", 4, 2},
                        Case{"one token table", 4, 2, PrecisionRecipe::Fp32, 0},
                        Case{"bf16", 2, 1, PrecisionRecipe::Bf16},
                        Case{"blockwise", 3, 1, PrecisionRecipe::Blockwise}}) {
    const auto with = [&](std::int64_t zero) {
      RunSpec s = spec(zero);
      s.parallel.pipeline = c.pipeline;
      s.precision.recipe = c.recipe;
      s.model.num_nextn_predict_layers = c.mtp;
      return train_on(c.ranks, s);
    };
    const std::vector<Seen> all = with(0), shared = with(1);
    const auto replicas = static_cast<std::size_t>(c.ranks / c.pipeline);
    for (std::size_t rank = 0; rank < all.size(); ++rank) {
      EXPECT_EQ(shared[rank].losses, all[rank].losses) << c.name;
      EXPECT_EQ(shared[rank].norms, all[rank].norms) << c.name;
      EXPECT_EQ(shared[rank].clips, all[rank].clips) << c.name;
      EXPECT_EQ(shared[rank].weights, all[rank].weights) << c.name;
      EXPECT_LT(shared[rank].clips.back(), 1) << c.name;
      // What is saved is the others' moments.
      EXPECT_EQ(all[rank].memory - shared[rank].memory, all[rank].moments - shared[rank].moments);
      EXPECT_LT(shared[rank].moments, all[rank].moments / replicas + 16 * 1024) << c.name;
    }
    EXPECT_EQ(all[0].norms.size(), 6u);
  }
}

/// (N-1)/N of the gradients' bytes out, as much of the weights' in, and the step's few numbers.
TEST_F(Zero, SendsWhatTheFormulaSays) {
  for (const int count : {2, 3, 4}) {
    const Seen seen = train_on(count, spec(1))[0];
    std::int64_t shares = 0, rests = 0;
    for (const Bucket& bucket : seen.buckets) {
      shares += bucket.share * static_cast<std::int64_t>(sizeof(float));
      rests += (bucket.end - bucket.rest()) * static_cast<std::int64_t>(sizeof(float));
    }
    EXPECT_EQ(seen.wire.at(Kind::ReduceScatter), (count - 1) * shares);
    EXPECT_EQ(seen.wire.at(Kind::AllGather), (count - 1) * shares);
    EXPECT_EQ(count * shares + rests, seen.flat_bytes);
    if (count != 3) {
      EXPECT_EQ(rests, 0);
      EXPECT_EQ(count * seen.wire.at(Kind::ReduceScatter), (count - 1) * seen.flat_bytes);
    }
    // Weights of targets, whether a micro-batch was given up, losses, loads, the norm.
    const std::int64_t numbers = 2 + 12 / count + 3 + seen.loads + 1;
    EXPECT_EQ(seen.wire.at(Kind::AllReduce), rests + 8 * numbers);

    const Seen replicas = train_on(count, spec(0))[0];
    EXPECT_EQ(replicas.wire.at(Kind::AllReduce), replicas.flat_bytes + 8 * numbers);
    EXPECT_EQ(replicas.wire.count(Kind::ReduceScatter), 0u);
  }
}

}  // namespace
}  // namespace tessera
