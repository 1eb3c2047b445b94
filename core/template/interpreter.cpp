// SPDX-License-Identifier: MIT
#include "core/template/interpreter.h"

#include <algorithm>
#include <array>

#include "core/base/error.h"
#include "core/template/lexer.h"
#include "core/template/operations.h"

namespace tessera::jinja {

namespace {
constexpr std::int64_t kMostSteps = 5'000'000, kMostRange = 100'000;
constexpr int kMostNesting = 1000;
constexpr std::array<std::string_view, 5> kFunctions = {"namespace", "range", "dict",
                                                        "raise_exception", "strftime_now"};

enum class Flow { Next, Break, Continue };

class Interpreter {
 public:
  Interpreter(const std::string& source, const std::string& where, Variables variables,
              std::time_t now)
      : source_(source), where_(where), now_(now) {
    frames_.push_back(std::move(variables));
    frames_.emplace_back();
  }

  MarkedText run(const Block& block) {
    MarkedText out;
    out_ = &out;
    execute(block);
    return out;
  }

 private:
  using Node = Expression::Kind;

  /// Puts the place in front of what went wrong.
  template <class Body>
  auto placed(std::size_t at, const Body& body) {
    if (++steps_ > kMostSteps) fail_at(at, "the template takes more than 5 million steps");
    if (nesting_ >= kMostNesting) fail_at(at, "the template goes more than 1000 levels deep");
    ++nesting_;
    try {
      if constexpr (std::is_void_v<decltype(body())>) {
        body();
        --nesting_;
      } else {
        auto result = body();
        --nesting_;
        return result;
      }
    } catch (const Failure& failure) {
      fail_at(at, failure.what());
    } catch (const std::invalid_argument& failure) {
      fail_at(at, failure.what());
    }
  }
  /// What works on all of a value takes steps by its size.
  void spend(const Value& value) {
    if (const List* list = value.list()) steps_ += static_cast<std::int64_t>(list->items.size());
    if (const Dict* dict = value.dict()) steps_ += static_cast<std::int64_t>(dict->items.size());
    if (const MarkedText* text = value.text())
      steps_ += static_cast<std::int64_t>(text->text.size() / 64);
  }
  [[noreturn]] void fail_at(std::size_t at, const std::string& what) const {
    throw Error(where_, fmt::format("{}: {}", place_of(source_, at), what),
                "docs/chat-templates.md lists what of Jinja is read");
  }

  Flow execute(const Block& block);
  Flow execute(const Statement& statement);
  Flow loop(const Statement& statement);
  std::vector<Value> loop_items(const Statement& statement);
  void assign(const std::vector<std::string>& names, const Value& value);
  void set(const Statement& statement);
  MarkedText captured(const Block& block);
  void write(const MarkedText& text);

  Value evaluate(const Expression& e);
  Value evaluate_here(const Expression& e);
  Value name(const std::string& word) const;
  Value binary(const Expression& e);
  Value compare(const Expression& e);
  bool compared(const std::string& word, const Value& a, const Value& b) const;
  Value unary(const Expression& e);
  Value dict(const Expression& e);
  Value call(const Expression& e);
  Value call_function(const Function& function, const CallArguments& arguments);
  Value call_macro(const MacroNode& macro, const CallArguments& arguments);
  Value call_loop(Loop& loop, const std::string& name, const CallArguments& arguments) const;
  Value make_namespace(const CallArguments& arguments) const;
  Value make_range(const CallArguments& arguments) const;
  Value date(const CallArguments& arguments) const;
  CallArguments evaluated(const Arguments& arguments);
  std::vector<Value> evaluated(const std::vector<Expression>& parts);

  const std::string& source_;
  const std::string& where_;
  const std::time_t now_;
  /// The first is what the template is given, the second its own top level.
  std::vector<Variables> frames_;
  MarkedText* out_ = nullptr;
  std::int64_t steps_ = 0;
  int nesting_ = 0;
  int loops_ = 0;
};

// ---- Statements ---------------------------------------------------------------------------------

Flow Interpreter::execute(const Block& block) {
  for (const Statement& statement : block) {
    const Flow flow = placed(statement.at, [&] { return execute(statement); });
    if (flow != Flow::Next) return flow;
  }
  return Flow::Next;
}

void Interpreter::write(const MarkedText& text) {
  out_->append(text);
  check_size(out_->text.size());
}

/// What a block writes, in a scope of its own.
MarkedText Interpreter::captured(const Block& block) {
  MarkedText out, *const outer = out_;
  out_ = &out;
  frames_.emplace_back();
  execute(block);
  frames_.pop_back();
  out_ = outer;
  return out;
}

Flow Interpreter::execute(const Statement& s) {
  using What = Statement::Kind;
  switch (s.kind) {
    case What::Data:
      write(own_text(s.text));
      return Flow::Next;
    case What::Print:
      write(to_text(evaluate(s.value)));
      return Flow::Next;
    case What::If:
      return execute(is_true(evaluate(s.value)) ? s.body : s.otherwise);
    case What::For:
      return loop(s);
    case What::Set:
      set(s);
      return Flow::Next;
    case What::SetBlock: {
      const MarkedText text = captured(s.body);
      frames_.emplace_back();
      frames_.back()[""] = text;
      const Value value = evaluate(s.value);
      frames_.pop_back();
      frames_.back()[s.names.front()] = value;
      return Flow::Next;
    }
    case What::Macro:
      frames_.back()[s.macro->name] = Function{s.macro->name, s.macro.get()};
      return Flow::Next;
    case What::Generation:
      write(captured(s.body));
      return Flow::Next;
    case What::Break:
      return Flow::Break;
    case What::Continue:
      return Flow::Continue;
  }
  return Flow::Next;
}

void Interpreter::assign(const std::vector<std::string>& names, const Value& value) {
  if (names.size() == 1) {
    frames_.back()[names.front()] = value;
    return;
  }
  const std::vector<Value> items = items_of(value);
  if (items.size() != names.size()) {
    throw Failure(fmt::format("{} values for {} names", items.size(), names.size()));
  }
  for (std::size_t i = 0; i < names.size(); ++i) frames_.back()[names[i]] = items[i];
}

void Interpreter::set(const Statement& s) {
  const Value value = evaluate(s.value);
  if (s.attribute.empty()) return assign(s.names, value);
  const Value target = name(s.names.front());
  const auto* dict = target.as<std::shared_ptr<Dict>>();
  if (!dict || !(*dict)->is_namespace) {
    throw Failure(fmt::format("{} is {}, and only a namespace takes attributes", s.names.front(),
                              kind_of(target)));
  }
  put(**dict, own_text(s.attribute), value);
}

/// What a for goes through: all, or those that its condition holds for.
std::vector<Value> Interpreter::loop_items(const Statement& s) {
  const Value all = evaluate(s.value);
  spend(all);
  std::vector<Value> items = items_of(all);
  if (!s.condition) return items;
  std::vector<Value> chosen;
  for (Value& item : items) {
    frames_.emplace_back();
    assign(s.names, item);
    const bool holds = is_true(evaluate(*s.condition));
    frames_.pop_back();
    if (holds) chosen.push_back(std::move(item));
  }
  return chosen;
}

Flow Interpreter::loop(const Statement& s) {
  std::vector<Value> items = loop_items(s);
  if (items.empty()) {
    frames_.emplace_back();
    const Flow flow = execute(s.otherwise);
    frames_.pop_back();
    return flow;
  }
  auto state = std::make_shared<Loop>();
  state->items = std::make_shared<List>(List{std::move(items)});
  state->depth = ++loops_;
  for (; state->index < state->items->items.size(); ++state->index) {
    frames_.emplace_back();
    assign(s.names, state->items->items[state->index]);
    frames_.back()["loop"] = state;
    const Flow flow = execute(s.body);
    frames_.pop_back();
    if (flow == Flow::Break) break;
  }
  --loops_;
  return Flow::Next;
}

// ---- Expressions --------------------------------------------------------------------------------

Value Interpreter::evaluate(const Expression& e) {
  return placed(e.at, [&] { return evaluate_here(e); });
}

std::vector<Value> Interpreter::evaluated(const std::vector<Expression>& parts) {
  std::vector<Value> values;
  for (const Expression& part : parts) values.push_back(evaluate(part));
  return values;
}

CallArguments Interpreter::evaluated(const Arguments& arguments) {
  CallArguments values{evaluated(arguments.plain), {}};
  for (const auto& [name, part] : arguments.named) values.named.emplace_back(name, evaluate(part));
  return values;
}

Value Interpreter::name(const std::string& word) const {
  for (auto frame = frames_.rbegin(); frame != frames_.rend(); ++frame) {
    const auto found = frame->find(word);
    if (found != frame->end()) return found->second;
  }
  if (std::find(kFunctions.begin(), kFunctions.end(), word) != kFunctions.end())
    return Function{word};
  return Undefined{word};
}

Value Interpreter::evaluate_here(const Expression& e) {
  switch (e.kind) {
    case Node::Constant:
      return e.constant;
    case Node::Name:
      return name(e.word);
    case Node::List:
      return make_list(evaluated(e.parts));
    case Node::Tuple:
      return make_list(evaluated(e.parts), true);
    case Node::Dict:
      return dict(e);
    case Node::Attribute:
      return attribute_of(evaluate(e.parts[0]), e.word);
    case Node::Item: {
      const Value of = evaluate(e.parts[0]);
      return item_of(of, evaluate(e.parts[1]));
    }
    case Node::Slice: {
      const std::vector<Value> v = evaluated(e.parts);
      spend(v[0]);
      return slice_of(v[0], v[1], v[2], v[3]);
    }
    case Node::Call:
      return call(e);
    case Node::Filter: {
      const Value of = evaluate(e.parts[0]);
      spend(of);
      return apply_filter(e.word, of, evaluated(e.arguments));
    }
    case Node::Test: {
      const Value of = evaluate(e.parts[0]);
      return apply_test(e.word, of, evaluated(e.arguments)) != e.negated;
    }
    case Node::Unary:
      return unary(e);
    case Node::Binary:
      return binary(e);
    case Node::Compare:
      return compare(e);
    case Node::Choice:
      if (is_true(evaluate(e.parts[1]))) return evaluate(e.parts[0]);
      if (e.parts.size() > 2) return evaluate(e.parts[2]);
      return Undefined{"a choice without else"};
  }
  return {};
}

Value Interpreter::unary(const Expression& e) {
  const Value of = evaluate(e.parts[0]);
  if (e.word == "not") return !is_true(of);
  std::int64_t whole = 0;
  double number = 0;
  if (as_whole(of, whole))
    return e.word == "-" ? binary_of("-", std::int64_t{0}, whole) : Value(whole);
  if (!as_number(of, number)) throw Failure(fmt::format("{} of {}", e.word, kind_of(of)));
  return e.word == "-" ? -number : number;
}

Value Interpreter::binary(const Expression& e) {
  const Value left = evaluate(e.parts[0]);
  if (e.word == "and" && !is_true(left)) return left;
  if (e.word == "or" && is_true(left)) return left;
  if (e.word == "and" || e.word == "or") return evaluate(e.parts[1]);
  const Value right = evaluate(e.parts[1]);
  spend(left);
  spend(right);
  return binary_of(e.word, left, right);
}

bool Interpreter::compared(const std::string& word, const Value& a, const Value& b) const {
  if (word == "==") return equals(a, b);
  if (word == "!=") return !equals(a, b);
  if (word == "in") return contains(b, a);
  if (word == "not in") return !contains(b, a);
  const bool swaps = word[0] == '>', or_equal = word.size() == 2;
  bool less = false;
  if (!is_less(swaps ? b : a, swaps ? a : b, less)) {
    throw Failure(fmt::format("{} {} {}", kind_of(a), word, kind_of(b)));
  }
  return less || (or_equal && equals(a, b));
}

Value Interpreter::compare(const Expression& e) {
  Value left = evaluate(e.parts[0]);
  for (std::size_t i = 0; i < e.words.size(); ++i) {
    Value right = evaluate(e.parts[i + 1]);
    spend(left);
    spend(right);
    if (!compared(e.words[i], left, right)) return false;
    left = std::move(right);
  }
  return true;
}

Value Interpreter::dict(const Expression& e) {
  auto made = std::make_shared<Dict>();
  for (std::size_t i = 0; i + 1 < e.parts.size(); i += 2) {
    const Value key = evaluate(e.parts[i]);
    put(*made, need_text(key, "a dict's key"), evaluate(e.parts[i + 1]));
  }
  return made;
}

// ---- Calls --------------------------------------------------------------------------------------

Value Interpreter::call(const Expression& e) {
  const Expression& callee = e.parts[0];
  Value function;
  if (callee.kind == Node::Attribute) {
    const Value of = evaluate(callee.parts[0]);
    spend(of);
    const CallArguments arguments = evaluated(e.arguments);
    if (const auto* state = of.as<std::shared_ptr<Loop>>()) {
      return call_loop(**state, callee.word, arguments);
    }
    bool known = false;
    if (has_method(of, callee.word, known)) return call_method(of, callee.word, arguments);
    if (known)
      throw Failure(fmt::format("the method {} of {} is not read", callee.word, kind_of(of)));
    function = attribute_of(of, callee.word);
  } else {
    function = evaluate(callee);
  }
  if (const Undefined* none = function.as<Undefined>()) {
    throw Failure(fmt::format("{} is undefined, and cannot be called", none->name));
  }
  const Function* known = function.as<Function>();
  if (!known) throw Failure(fmt::format("{} cannot be called", kind_of(function)));
  return call_function(*known, evaluated(e.arguments));
}

Value Interpreter::call_function(const Function& function, const CallArguments& arguments) {
  if (function.macro) return call_macro(*function.macro, arguments);
  if (function.name == "namespace" || function.name == "dict") {
    Value made = make_namespace(arguments);
    std::get<std::shared_ptr<Dict>>(made.any)->is_namespace = function.name == "namespace";
    return made;
  }
  if (function.name == "range") {
    Value numbers = make_range(arguments);
    spend(numbers);
    return numbers;
  }
  if (function.name == "strftime_now") return date(arguments);
  arguments.check("raise_exception", 1, {"message"});
  const Value* message = arguments.find(0, "message");
  throw Error(where_, message ? to_text(*message).text : "the template refuses this conversation",
              "the model's own template says so: change the messages");
}

Value Interpreter::make_namespace(const CallArguments& arguments) const {
  if (arguments.plain.size() > 1) throw Failure("namespace with more than one dict");
  auto made = std::make_shared<Dict>();
  if (!arguments.plain.empty()) {
    const Dict* from = arguments.plain[0].dict();
    if (!from || from->is_namespace)
      throw Failure(fmt::format("namespace of {}", kind_of(arguments.plain[0])));
    *made = *from;
  }
  for (const auto& [key, value] : arguments.named) put(*made, own_text(key), value);
  return made;
}

Value Interpreter::make_range(const CallArguments& arguments) const {
  arguments.check("range", 3);
  std::array<std::int64_t, 3> numbers{};
  for (std::size_t i = 0; i < arguments.plain.size(); ++i) {
    if (!as_whole(arguments.plain[i], numbers[i]))
      throw Failure("range of other than whole numbers");
  }
  const std::size_t count = arguments.plain.size();
  if (count == 0) throw Failure("range without a number");
  const std::int64_t begin = count == 1 ? 0 : numbers[0],
                     end = count == 1 ? numbers[0] : numbers[1];
  const std::int64_t step = count == 3 ? numbers[2] : 1;
  if (step == 0) throw Failure("range with a step of 0");
  std::vector<Value> items;
  for (std::int64_t i = begin; step > 0 ? i < end : i > end;) {
    if (static_cast<std::int64_t>(items.size()) >= kMostRange)
      throw Failure("range of more than 100000 numbers");
    items.emplace_back(i);
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return make_list(std::move(items));
}

Value Interpreter::date(const CallArguments& arguments) const {
  arguments.check("strftime_now", 1, {"format"});
  const Value* format = arguments.find(0, "format");
  if (!format) throw Failure("strftime_now without a format");
  const std::string text = need_text(*format, "strftime_now").text;
  if (text.empty()) return MarkedText{};
  std::tm parts{};
  localtime_r(&now_, &parts);
  std::string out(1024, '\0');
  const std::size_t size = std::strftime(out.data(), out.size(), text.c_str(), &parts);
  if (size == 0) throw Failure("a date of more than 1000 characters");
  return own_text(out.substr(0, size));
}

Value Interpreter::call_loop(Loop& state, const std::string& name,
                             const CallArguments& arguments) const {
  if (name == "cycle") {
    arguments.check("loop.cycle", 1000);
    if (arguments.plain.empty()) throw Failure("loop.cycle without values");
    return arguments.plain[state.index % arguments.plain.size()];
  }
  if (name != "changed") throw Failure(fmt::format("loop.{} is not read as a call", name));
  arguments.check("loop.changed", 1000);
  const Value checked = make_list(arguments.plain);  // a loop cannot hold itself
  const std::vector<Value>& last = state.changed;
  const std::vector<Value>& asked = checked.list()->items;
  const bool is_same =
      !last.empty() && std::equal(asked.begin(), asked.end(), last.begin() + 1, last.end(), equals);
  if (is_same) return false;
  state.changed = {None{}};  // the first one tells that something was asked
  state.changed.insert(state.changed.end(), asked.begin(), asked.end());
  return true;
}

Value Interpreter::call_macro(const MacroNode& macro, const CallArguments& arguments) {
  const std::size_t count = macro.parameters.size();
  if (arguments.plain.size() > count) {
    throw Failure(fmt::format("the macro {} takes {} arguments, not {}", macro.name, count,
                              arguments.plain.size()));
  }
  for (const auto& [name, value] : arguments.named) {
    if (std::find(macro.parameters.begin(), macro.parameters.end(), name) ==
        macro.parameters.end()) {
      throw Failure(fmt::format("the macro {} has no parameter {}", macro.name, name));
    }
  }
  // A macro sees the top level, and nothing of where it is called.
  std::vector<Variables> callers;
  std::move(frames_.begin() + 2, frames_.end(), std::back_inserter(callers));
  frames_.resize(2);
  frames_.emplace_back();
  const std::size_t plain = count - macro.defaults.size();
  for (std::size_t i = 0; i < count; ++i) {
    const std::string& parameter = macro.parameters[i];
    const Value* given = arguments.find(i, parameter);
    Value value = given        ? *given
                  : i >= plain ? evaluate(macro.defaults[i - plain])
                               : Value(Undefined{parameter});
    frames_.back()[parameter] = std::move(value);
  }
  const int loops = std::exchange(loops_, 0);
  MarkedText out = captured(macro.body);
  loops_ = loops;
  frames_.resize(2);
  std::move(callers.begin(), callers.end(), std::back_inserter(frames_));
  return out;
}
}  // namespace

MarkedText write_out(const Block& block, const std::string& source, const std::string& where,
                     Variables variables, std::time_t now) {
  return Interpreter(source, where, std::move(variables), now).run(block);
}

}  // namespace tessera::jinja
