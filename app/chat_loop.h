// SPDX-License-Identifier: MIT
// A conversation in a terminal: turns, commands, and what happens when the context is full.
#pragma once

#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "core/infer/text_model.h"

namespace tessera::app {

class ChatLoop {
 public:
  using Print = TextModel::Print;
  using OnAnswer = std::function<void(const Generated&)>;

  /// `print` takes what belongs to the conversation, `note` whole lines about it. `on_answer` is
  /// called after every answer.
  ChatLoop(TextModel& model, AnswerOptions options, Print print, Print note, OnAnswer on_answer);

  /// What the system says at the begin of every conversation; empty: nothing.
  void set_system(const std::string& text);

  /// One turn: the user's words, printed behind it the answer. When the context has no room for
  /// them, nothing is sent and the conversation stays as it was; false then. `cancelled` is asked
  /// between tokens; true ends the answer.
  bool say(const std::string& text, const std::function<bool()>& cancelled = {});
  /// Lines and commands until /quit or the end of input. Ctrl+C while an answer is being written
  /// ends the answer; at the prompt, or a second time, it ends the program.
  void run(std::istream& input);

  const std::vector<Message>& conversation() const { return conversation_; }

 private:
  bool obey(const std::string& line);
  void begin_anew();
  void undo();
  void tell_cancelled(bool began);
  bool fits(const std::string& text);
  void tell_full(std::int64_t needed, bool line_alone);
  void tell_unknown(const std::string& text);

  TextModel& model_;
  AnswerOptions options_;
  Print print_, note_;
  OnAnswer on_answer_;
  std::string system_;
  std::vector<Message> conversation_;
  bool told_full_ = false;  ///< the user knows what to do about a full context
  std::size_t not_sent_ = 0;
};

}  // namespace tessera::app
