// SPDX-License-Identifier: MIT
// A conversation in a terminal outlives a full context, slips and lines that are too long.
#include "app/chat_loop.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "core/base/error.h"
#include "tests/build_paths.h"
#include "tests/infer/tiny_model.h"

namespace tessera::app {
namespace {

constexpr std::int64_t kContext = 128;

struct Terminal {
  test::ScratchFolder scratch;
  TextModel model;
  std::string talk, notes;
  ChatLoop loop;

  explicit Terminal(std::int64_t max_tokens = 6)
      : model(load(scratch)),
        loop(
            model, options(max_tokens), [this](const std::string& text) { talk += text; },
            [this](const std::string& text) { notes += text + "\n"; }, {}) {}

  static TextModel load(const test::ScratchFolder& scratch) {
    ModelConfig config = test::tiny_config();
    config.max_position_embeddings = kContext;
    test::write_released_model(scratch.path / "model", 1, config);
    return TextModel::load(scratch.path / "model", TextModelOptions{});
  }
  static GenerateOptions options(std::int64_t max_tokens) {
    GenerateOptions options;
    options.max_tokens = max_tokens;
    options.sampling.temperature = 0;
    return options;
  }

  void type(const std::string& lines) {
    std::istringstream input(lines);
    loop.run(input);
  }
  std::size_t noted(const std::string& what) const {
    std::size_t count = 0;
    for (std::size_t at = notes.find(what); at != std::string::npos; at = notes.find(what, at + 1))
      ++count;
    return count;
  }
};

std::string repeated(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

TEST(FieldChatLoop, StaysWhenTheContextIsFull) {
  Terminal t;
  t.type(repeated("The quick brown fox.\n", 40));
  EXPECT_EQ(t.noted("/new begins a new conversation"), 1u) << t.notes;  // once, not forty times
  EXPECT_GT(t.noted("Not sent: the context is full"), 5u);
  EXPECT_EQ(t.noted("lines were not sent"), 1u);
  EXPECT_GE(t.loop.conversation().size(), 4u);
}

TEST(FieldChatLoop, AnAnswerThatFillsTheContextSaysSo) {
  Terminal t(kNoTokenLimit);
  t.type("The quick brown fox.\nMore?\n");
  EXPECT_EQ(t.noted("tokens is full: the answer ends here"), 1u) << t.notes;
  EXPECT_EQ(t.noted("Not sent: the context is full."), 1u) << t.notes;
}

TEST(FieldChatLoop, GoesOnAfterNewAndUndo) {
  Terminal t;
  t.type(repeated("The quick brown fox.\n", 40));
  const std::size_t full = t.loop.conversation().size();
  t.type("/undo\n/undo\nThe lazy dog.\n");
  EXPECT_EQ(t.loop.conversation().size(), full - 2);
  EXPECT_EQ(t.loop.conversation()[full - 4].text, "The lazy dog.");
  t.type("/new\n");
  EXPECT_TRUE(t.loop.conversation().empty());
  t.notes.clear();
  t.type("The fox.\n");
  EXPECT_EQ(t.loop.conversation().size(), 2u);
  EXPECT_EQ(t.noted("Not sent"), 0u) << t.notes;
}

TEST(FieldChatLoop, ALineThatIsTooLongIsNotSent) {
  Terminal t;
  t.type("The fox.\n" + repeated("xyzzy ", 300) + "\nThe dog.\n");
  EXPECT_EQ(t.noted("the line is too long"), 1u) << t.notes;
  EXPECT_EQ(t.loop.conversation().size(), 4u);
}

TEST(ChatLoop, TheSystemPromptStays) {
  Terminal t;
  t.loop.set_system("dreams of rivers");
  t.type("The fox.\n/new\nThe dog.\n");
  ASSERT_EQ(t.loop.conversation().size(), 3u);
  EXPECT_EQ(t.loop.conversation()[0].text, "dreams of rivers");
}

TEST(ChatLoop, WhatIsCancelledEndsThereAndTheConversationGoesOn) {
  Terminal t(kNoTokenLimit);
  int asked = 0;
  t.loop.say("The fox.", [&] { return ++asked > 4; });
  EXPECT_EQ(t.noted("Stopped: the answer ends here"), 1u) << t.notes;
  ASSERT_EQ(t.loop.conversation().size(), 2u);
  const std::string answer = t.loop.conversation()[1].text;
  EXPECT_EQ(t.talk, answer + "\n");
  t.loop.say("The dog.", [] { return true; });  // before its first token
  EXPECT_EQ(t.noted("your words are taken back"), 1u) << t.notes;
  EXPECT_EQ(t.loop.conversation().size(), 2u);
  t.type("The cat.\n");
  EXPECT_EQ(t.loop.conversation().size(), 4u);
}

/// The program in a terminal: what it prints, and SIGINT as Ctrl+C sends it.
class RunningChat {
 public:
  explicit RunningChat(const std::filesystem::path& model) {
    int in[2], out[2];
    if (::pipe(in) != 0 || ::pipe(out) != 0) return;
    child_ = ::fork();
    if (child_ == 0) {
      ::dup2(in[0], STDIN_FILENO);
      ::dup2(out[1], STDOUT_FILENO);
      ::dup2(out[1], STDERR_FILENO);
      for (const int end : {in[0], in[1], out[0], out[1]}) ::close(end);
      ::execl(TESSERA_PROGRAM, TESSERA_PROGRAM, "chat", model.c_str(), "--max-tokens", "-1",
              "--temperature", "0", nullptr);
      ::_exit(127);
    }
    ::close(in[0]);
    ::close(out[1]);
    in_ = in[1];
    out_ = out[0];
  }
  ~RunningChat() {
    ::close(in_);
    ::close(out_);
    if (child_ > 0) ::kill(child_, SIGKILL);
    if (child_ > 0) ::waitpid(child_, nullptr, 0);
  }

  bool type(const std::string& line) {
    return ::write(in_, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  }
  void interrupt() const { ::kill(child_, SIGINT); }
  /// Reads on until `text` was printed after what was found before; false at the end of output.
  bool prints(const std::string& text) {
    for (;;) {
      if (const std::size_t at = seen_.find(text, from_); at != std::string::npos) {
        from_ = at + text.size();
        return true;
      }
      char bytes[4096];
      const ssize_t got = ::read(out_, bytes, sizeof bytes);
      if (got <= 0) return false;
      seen_.append(bytes, static_cast<std::size_t>(got));
    }
  }
  bool prints_more() { return ::read(out_, &byte_, 1) == 1; }
  int status() {
    int status = 0;
    ::waitpid(std::exchange(child_, -1), &status, 0);
    return status;
  }
  const std::string& seen() const { return seen_; }

 private:
  pid_t child_ = -1;
  int in_ = -1, out_ = -1;
  char byte_ = 0;
  std::string seen_;
  std::size_t from_ = 0;
};

TEST(ChatLoop, CtrlCEndsTheAnswerAndAtThePromptTheProgram) {
  const test::ScratchFolder scratch;
  ModelConfig config = test::tiny_config();
  config.max_position_embeddings = 16384;  // an answer without a limit takes a while
  test::write_released_model(scratch.path / "model", 1, config);
  RunningChat chat(scratch.path / "model");
  ASSERT_TRUE(chat.prints("> ")) << chat.seen();
  for (int turn = 0; turn < 2; ++turn) {
    ASSERT_TRUE(chat.type("The fox.\n"));
    ASSERT_TRUE(chat.prints_more());  // it has begun to answer
    chat.interrupt();
    ASSERT_TRUE(chat.prints("Stopped: the answer ends here")) << chat.seen();
    ASSERT_TRUE(chat.prints("> ")) << chat.seen();
  }
  chat.interrupt();
  const int status = chat.status();
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT) << status;
}

TEST(ChatLoop, SlipsAreNotSent) {
  Terminal t;
  t.type("/udno\n/qit\n/undo\n/usr/bin is what?\n /usr is sent\n   \n\n/help\n/quit\nnever read\n");
  EXPECT_EQ(t.noted("Did you mean /undo?"), 1u) << t.notes;
  EXPECT_EQ(t.noted("Did you mean /quit?"), 1u);
  EXPECT_EQ(t.noted("nothing to take back"), 1u);
  EXPECT_EQ(t.noted("was not sent. /help lists the commands"), 1u);
  EXPECT_EQ(t.noted("take back your last words"), 1u);
  ASSERT_EQ(t.loop.conversation().size(), 2u);
  EXPECT_EQ(t.loop.conversation()[0].text, " /usr is sent");
}

}  // namespace
}  // namespace tessera::app
