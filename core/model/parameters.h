// SPDX-License-Identifier: MIT
// The weights of a model: master values, gradients, the copies that products read, and the names
// that released checkpoints give to their parts.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <initializer_list>
#include <string>
#include <vector>

#include "core/base/context.h"
#include "core/base/memory.h"
#include "core/config/precision.h"
#include "kernels/packed_product/packed_weight.h"
#include "kernels/quantise/quantise.h"

namespace tessera {

enum class Init : std::uint8_t { Normal, Ones, Zeros };

/// Which ranks hold a copy of a parameter, and so sum its gradients.
enum class Sharing : std::uint8_t {
  Stage,    ///< all that hold the same stage of the pipeline
  Experts,  ///< those of them that hold the same experts
  Ends,     ///< besides all of its stage, those of the first and the last stage: the token table
};

/// One array of weights. Several released tensors may be stored in it side by side, so that one
/// product reads them: gate and up of a feed-forward, or all experts of a layer.
struct Parameter {
  std::string name;
  std::vector<std::int64_t> shape;
  Init init = Init::Normal;
  Sharing sharing = Sharing::Stage;
  std::int64_t first_element = 0;   ///< elements of the whole parameter before those held here
  std::int64_t whole_elements = 0;  ///< size of the whole parameter; 0: all of it is held here
  std::int64_t flat_first = 0;      ///< its place in the flat arrays of values and gradients
  bool trained = true;  ///< false: no gradient, no optimiser (the selection bias; always F32)
  bool decay = true;    ///< weight decay applies: matrices only
  /// `Yes`: the weight of a linear layer, which is E4M3 where the recipe says so. `Both`: products
  /// outside of the layer read it as well, in BF16.
  enum class Linear : std::uint8_t { No, Yes, Both } linear = Linear::No;
  /// What inference reads: `Value`; `Product`: nothing but y = x W^T does, whose weights may be
  /// held in any form; `Operand`: products that read parts of it; `ValueAndProduct`: a token table
  /// that is the head as well.
  enum class Reads : std::uint8_t { Value, Product, Operand, ValueAndProduct } reads = Reads::Value;

  Tensor value;  ///< master weight; absent where `reads` and Precision::weights say so
  Tensor grad;   ///< same shape and type; absent without gradients
  /// Experts: products of one expert do not depend on what the others are given, to the last bit.
  bool apart = false;
  /// Those of further runs of groups: experts whose tokens of every rank have groups of their own.
  std::vector<Tensor> more_grads;
  const Tensor& grad_of_run(std::int64_t run) const {
    return run == 0 ? grad : more_grads.at(static_cast<std::size_t>(run - 1));
  }
  /// What is in `grad` is of the last step: the first product writes instead of adding.
  mutable bool grad_is_old = false;
  Tensor operand;  ///< what products read: value itself, or its BF16 copy; absent where fp8 is all
  kernels::QuantisedWeight fp8;  ///< what the products of the recipe's linear layers read
  kernels::PackedWeight packed;  ///< what products read where weights are held in 8 or 4 bits
  /// Reads::Operand: rows are those of heads, `head_rows` of each, and of the first `head_first` of
  /// them products read the columns.
  std::int64_t head_rows = 0, head_first = 0;
  /// Those once more, transposed, where weights are held in 8 or 4 bits: (heads, columns,
  /// head_first). Absent where these are no whole blocks: `value` is held then.
  kernels::PackedWeight packed_t;

  /// Views of `value` under their released names, in storage order; absent as it is.
  struct Part {
    std::string released_name;
    Tensor value;
    std::int64_t first = 0;  ///< its offset in the parameter, in elements
  };
  std::vector<Part> parts;
};

/// Parameters of one kind of sharing that lie side by side in the flat arrays of values and
/// gradients: elements from..end.
struct FlatRun {
  Sharing sharing = Sharing::Stage;
  std::int64_t from = 0, end = 0;
};

/// All parameters in declaration order, each array one contiguous buffer for the whole model.
class ParameterSet {
 public:
  /// Declares; memory comes with allocate(). The reference stays valid. Without released names in
  /// `part_names`, the parameter itself is the one released tensor.
  Parameter& declare(std::string name, std::vector<std::int64_t> shape, Init init = Init::Normal,
                     bool decay = true);
  /// Declares the weights of a linear layer, (out, in) or (experts, out, in).
  Parameter& declare_linear(std::string name, std::vector<std::int64_t> shape,
                            Parameter::Linear linear = Parameter::Linear::Yes);
  /// Declares an F32 array that training does not touch through gradients.
  Parameter& declare_state(std::string name, std::vector<std::int64_t> shape);
  /// The parameter is stored as `released_names.size()` equal runs of rows with these names.
  void split(Parameter& parameter, std::vector<std::string> released_names);

  /// `measuring`: sizes and shapes without memory; nothing may then be read or written. Throws
  /// Error where a recipe of FP8 meets weights whose sizes are not multiples of 16.
  void allocate(const Precision& precision, bool with_gradients, Device device,
                bool measuring = false);

  /// Keeps experts apart, with gradients for `runs` runs of groups. After allocate().
  void separate_runs(std::int64_t runs);

  /// N(0, sigma) for matrices, 1 for norms, 0 for states. A function of (seed, name, index) alone.
  /// Throws Stopped when `stop` is set on the way.
  void initialise(std::uint64_t seed, double sigma, const std::atomic<bool>* stop = nullptr);

  /// Rows of a parameter, (rows, columns) F32, to the forms in which it is held besides `value`;
  /// `first_row` counts through all of its dimensions but the last. Throws Error, with `name` for
  /// the weight, where blocks cannot hold a number.
  /// Not more than most_rows() of them; where packed_t is there, all.
  static std::int64_t most_rows(const Parameter& parameter);
  static void hold_rows(Context& context, const Parameter& parameter, std::int64_t first_row,
                        const Tensor& rows, const std::string& name);

  /// Renews the copies that products read. To be called after values change.
  void refresh_operands(Context& context);
  /// Those of one parameter in E4M3 alone, where it has such: AdamW writes the others itself.
  static void refresh_quantised(Context& context, const Parameter& parameter);
  /// NOTE: those that one product makes are cleared by being written; until clear_old_gradients()
  /// what is in them is not to be read.
  void zero_gradients(Context& context);
  /// Whether such gradients are still those of the last step.
  bool has_old_gradients() const;
  /// Says that they are (`old`), or that they have been written by work that was replayed.
  void mark_gradients(bool old) const;
  /// Clears what no product of backward has written. Model::backward() ends with it.
  void clear_old_gradients(Context& context) const;

  std::deque<Parameter>& all() { return parameters_; }
  const std::deque<Parameter>& all() const { return parameters_; }
  /// All gradients as one flat array, padding between parameters included (zeros).
  const Tensor& flat_gradients() const { return flat_gradients_; }
  /// All weights that are trained as one flat array, laid out as the gradients are.
  const Tensor& flat_values() const { return flat_values_; }
  /// The flat arrays as runs of one kind of sharing that are as long as they can be.
  std::vector<FlatRun> runs() const;
  /// Those of one kind of sharing, as runs of flat_gradients().
  std::vector<Tensor> gradients_of(Sharing sharing) const;
  std::size_t value_bytes() const { return values_.bytes(); }
  std::size_t gradient_bytes() const { return gradients_.bytes() + run_gradients_.bytes(); }
  /// Size of the copies that products read, where these are not the values themselves.
  std::size_t operand_bytes() const {
    return operands_.bytes() + quantised_.bytes() + packed_.bytes();
  }
  /// The same for one parameter.
  static std::size_t operand_bytes(const Parameter& parameter);
  std::size_t state_bytes() const { return states_.bytes(); }

  /// Throws Error when there is none of this name.
  Parameter& find(const std::string& name);

 private:
  std::int64_t flat_size() const;
  void allocate_packed(const Precision& precision, Device device, bool measuring);
  void allocate_operands(const Precision& precision, Device device, bool measuring);
  void allocate_quantised(const Precision& precision, Device device, bool measuring);
  Buffer values_, gradients_, operands_, quantised_, packed_, states_, run_gradients_;
  WeightForm form_ = WeightForm::Masters;
  Tensor flat_values_, flat_gradients_;
  std::deque<Parameter> parameters_;
};

}  // namespace tessera
