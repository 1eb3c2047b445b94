// SPDX-License-Identifier: MIT
#include "core/http/reasoning_split.h"

#include <gtest/gtest.h>

namespace tessera {
namespace {

/// The same in one piece, in single bytes and in pairs of them.
void expect_split(Thinking thinking, const std::string& text, const std::string& reasoning,
                  const std::string& content) {
  for (const std::size_t step : {text.size() + 1, std::size_t{1}, std::size_t{2}}) {
    ReasoningSplit split(thinking);
    ReasoningSplit::Piece all;
    const auto add = [&](const ReasoningSplit::Piece& piece) {
      all.reasoning += piece.reasoning;
      all.content += piece.content;
    };
    for (std::size_t at = 0; at < text.size(); at += step) add(split.push(text.substr(at, step)));
    add(split.finish());
    EXPECT_EQ(all.reasoning, reasoning) << text << " in " << step;
    EXPECT_EQ(all.content, content) << text << " in " << step;
  }
}

TEST(ReasoningSplit, PutsThoughtsApart) {
  expect_split(Thinking::May, "<think>a < b</think>\n\nyes </think>", "a < b", "yes </think>");
  expect_split(Thinking::May, "\n<think>\nx</think>y", "\nx", "y");
  expect_split(Thinking::Inside, "a</thin</think> b ", "a</thin", "b ");
  expect_split(Thinking::Inside, "<think>a</think>b", "<think>a", "b");
}

TEST(ReasoningSplit, LeavesOtherAnswersAlone) {
  expect_split(Thinking::May, " <thinking> no", "", " <thinking> no");
  expect_split(Thinking::May, "<thi", "", "<thi");
  expect_split(Thinking::May, " \n", "", " \n");
  expect_split(Thinking::May, "a <think>b</think>", "", "a <think>b</think>");
  expect_split(Thinking::Never, "<think>a</think>", "", "<think>a</think>");
  expect_split(Thinking::May, "", "", "");
}

TEST(ReasoningSplit, ThoughtsThatDoNotEndAreThoughts) {
  expect_split(Thinking::May, "<think>on and on </thi", "on and on </thi", "");
  expect_split(Thinking::Inside, "", "", "");
  expect_split(Thinking::Inside, "a</think>", "a", "");
  expect_split(Thinking::Inside, "a</think>\n\n", "a", "");
}

TEST(ReasoningSplit, SaysAtOnceWhatIsKnown) {
  ReasoningSplit split(Thinking::Inside);
  EXPECT_EQ(split.push("abc<").reasoning, "abc");
  EXPECT_EQ(split.push("d").reasoning, "<d");
  EXPECT_EQ(split.push("</think>x").content, "x");
  EXPECT_EQ(split.push("<").content, "<");
}

}  // namespace
}  // namespace tessera
