// SPDX-License-Identifier: MIT
#include "core/base/mistaken_file.h"

#include <gtest/gtest.h>

namespace tessera {
namespace {

TEST(MistakenFile, KnowsWhatPeopleHaveInsteadOfWeights) {
  const struct {
    const char* bytes;
    const char* what;
  } cases[] = {
      {"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 12\n", "Git LFS pointer"},
      {"<!doctype html>\n<html lang=\"en\">", "web page"},
      {"\n  <HTML><head>", "web page"},
      {"\xef\xbb\xbf<!DOCTYPE HTML>", "web page"},
      {"<?xml version=\"1.0\"?><Error><Code>AccessDenied", "in XML"},
      {"Entry not found", "error message"},
      {"Access to model x/y is restricted", "error message"},
      {"{\"error\":\"Repository not found\"}", "error message"},
      {"PK\x03\x04", "ZIP archive"},
      {"\x1f\x8b\x08", "gzip"},
      {"GGUF\x03", "GGUF"},
  };
  for (const auto& c : cases) {
    const auto mistaken = mistaken_content(c.bytes);
    ASSERT_TRUE(mistaken.has_value()) << c.bytes;
    EXPECT_NE(mistaken->what.find(c.what), std::string::npos) << mistaken->what;
    EXPECT_FALSE(mistaken->hint.empty());
  }
}

TEST(MistakenFile, LeavesTheRestToItsReaders) {
  for (const char* bytes :
       {"", "{", "{\"model_type\": \"deepseek_v3\"}", "version 1", "P", "text"}) {
    EXPECT_FALSE(mistaken_content(bytes).has_value()) << bytes;
  }
}

}  // namespace
}  // namespace tessera
