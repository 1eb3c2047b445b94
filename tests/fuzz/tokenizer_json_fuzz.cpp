// SPDX-License-Identifier: MIT
// A tokenizer.json out of arbitrary bytes: it throws Error, or encodes and decodes within its
// vocabulary.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/base/error.h"
#include "core/tokenizer/bpe_tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tessera;
  try {
    const auto tokenizer = make_bpe_tokenizer(
        std::string(reinterpret_cast<const char*>(data), size), "/nowhere/tokenizer.json");
    for (const char* text :
         {"", "abcd  The caf\u00e9 12345\r\n\n'S \u4e2d\u6587 <|end|> x", "\xFF\xC3(\x80"}) {
      for (const SpecialText specials : {SpecialText::AsText, SpecialText::Parse}) {
        const auto ids = tokenizer->encode(text, specials);
        for (const std::int32_t id : ids) {
          if (id < 0 || id >= tokenizer->vocab_size()) std::abort();
        }
        tokenizer->decode(ids, true);
      }
    }
  } catch (const Error&) {
    // What bad input is for.
  }
  return 0;
}
