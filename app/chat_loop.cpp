// SPDX-License-Identifier: MIT
#include "app/chat_loop.h"

#include <fmt/format.h>

#include <algorithm>
#include <istream>
#include <utility>

#include "app/signals.h"
#include "core/base/nearest_word.h"
#include "core/spec/spec_table.h"

namespace tessera::app {

namespace {
constexpr const char* kHelp =
    "/new    begin a new conversation\n"
    "/undo   take back your last words and the answer to them\n"
    "/quit   end (Ctrl+D does so too)\n"
    "Ctrl+C  end the answer that is being written; at the prompt: end\n"
    "/help   this list\n"
    "A line that begins with / and is no command is not sent; put a space before it to send it.";
constexpr const char* kWaysOn =
    "/undo takes back the last exchange, /new begins a new conversation, /quit ends.";
}  // namespace

ChatLoop::ChatLoop(TextModel& model, AnswerOptions options, Print print, Print note,
                   OnAnswer on_answer)
    : model_(model),
      options_(std::move(options)),
      print_(std::move(print)),
      note_(std::move(note)),
      on_answer_(std::move(on_answer)) {}

void ChatLoop::set_system(const std::string& text) {
  system_ = text;
  begin_anew();
}

void ChatLoop::begin_anew() {
  conversation_.clear();
  if (!system_.empty()) conversation_.push_back({Message::Role::System, system_});
  told_full_ = false;
}

void ChatLoop::undo() {
  const auto is_users = [](const Message& one) { return one.role == Message::Role::User; };
  const auto last = std::find_if(conversation_.rbegin(), conversation_.rend(), is_users);
  if (last == conversation_.rend()) return note_("There is nothing to take back.");
  note_(fmt::format("Taken back: {}", last->text));
  conversation_.erase(std::prev(last.base()), conversation_.end());
  told_full_ = false;
}

/// What to do is said once; after that only that nothing was sent.
void ChatLoop::tell_full(std::int64_t needed, bool line_alone) {
  ++not_sent_;
  const std::int64_t context = model_.session().context();
  if (line_alone) {
    note_(
        fmt::format("Not sent: the line is too long. With it the conversation begins with {} "
                    "tokens, and the context has room for {}. Shorten it.",
                    needed, context));
  } else if (told_full_) {
    note_("Not sent: the context is full.");
  } else {
    note_(
        fmt::format("Not sent: the context is full. The conversation would have {} tokens, and "
                    "there is room for {}. {}",
                    needed, context, kWaysOn));
    told_full_ = true;
  }
}

/// Whether the model can read the conversation with these words and write at least one token.
bool ChatLoop::fits(const std::string& text) {
  const auto needed = [&](std::vector<Message> messages) {
    messages.push_back({Message::Role::User, text});
    return model_.length(messages) + 1;
  };
  const std::int64_t whole = needed(conversation_);
  if (whole <= model_.session().context()) return true;
  std::vector<Message> alone;
  if (!system_.empty()) alone.push_back({Message::Role::System, system_});
  const std::int64_t least = needed(alone);
  const bool line_alone = least > model_.session().context();
  tell_full(line_alone ? least : whole, line_alone);
  return false;
}

void ChatLoop::tell_unknown(const std::string& text) {
  const std::int64_t unknown = model_.unknown_tokens(text);
  if (unknown == 0) return;
  note_(
      fmt::format("{} of your characters or runs of them have no token in this vocabulary; the "
                  "model reads each as {}.",
                  unknown, model_.tokenizer()->piece(model_.tokenizer()->specials().unknown)));
}

bool ChatLoop::say(const std::string& text, const std::function<bool()>& cancelled) {
  if (!fits(text)) return false;
  tell_unknown(text);
  conversation_.push_back({Message::Role::User, text});
  std::string answer;
  AnswerOptions options = options_;
  options.cancelled = cancelled;
  const Generated out = model_.answer(conversation_, options, [&](const std::string& part) {
    answer += part;
    print_(part);
  });
  print_("\n");
  conversation_.push_back({Message::Role::Assistant, answer});
  if (on_answer_) on_answer_(out);
  if (out.reason == StopReason::Cancelled) tell_cancelled(!answer.empty());
  if (out.reason == StopReason::Full) {
    note_(fmt::format("The context of {} tokens is full: the answer ends here. {}",
                      model_.session().context(), kWaysOn));
    told_full_ = true;
  }
  return true;
}

/// What was not answered at all is taken back: a conversation holds no empty answers.
void ChatLoop::tell_cancelled(bool began) {
  if (began) return note_("Stopped: the answer ends here. Ctrl+C at the prompt ends the program.");
  conversation_.erase(conversation_.end() - 2, conversation_.end());
  note_(
      "Stopped before the answer began: your words are taken back. Ctrl+C at the prompt ends the "
      "program.");
}

/// A line that begins with a slash. False when the conversation is to end.
bool ChatLoop::obey(const std::string& line) {
  static const std::vector<std::string> kCommands{"/new", "/undo", "/quit", "/help"};
  const std::string word = line.substr(0, line.find_last_not_of(" \t\r") + 1);
  if (word == "/quit") return false;
  if (word == "/new") {
    begin_anew();
    note_("A new conversation.");
  } else if (word == "/undo") {
    undo();
  } else if (word == "/help") {
    note_(kHelp);
  } else {
    const std::string near = nearest_word(word, kCommands);
    note_(fmt::format("{} is no command and was not sent. {}", word,
                      near.empty()
                          ? "/help lists the commands; put a space before the line to send "
                            "it."
                          : fmt::format("Did you mean {}?", near)));
  }
  return true;
}

void ChatLoop::run(std::istream& input) {
  std::string line;
  while (true) {
    print_("> ");
    if (!std::getline(input, line)) break;
    if (line.starts_with('/')) {
      if (!obey(line)) break;
    } else if (line.find_first_not_of(" \t\r") != std::string::npos) {
      const InterruptsWork interrupt;
      say(line, [&] { return interrupt.asked(); });
    }
  }
  print_("\n");
  if (not_sent_ > 1) {
    note_(fmt::format("{} lines were not sent for want of room in the context.", not_sent_));
  }
}

}  // namespace tessera::app
