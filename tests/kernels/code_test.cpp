// SPDX-License-Identifier: MIT
// What ptxas made of the Hopper kernels. Their descriptors of operands must be computed in uniform
// registers, once a warp: ptxas gives that up for all of a kernel where it takes lanes to be apart
// (a loop with a number of rounds that it does not know, a wait without __syncwarp()), and then
// moves each one there with R2UR: up to 10 % of a kernel's speed, and nothing says so. Nor may a
// loop keep values in local memory. Reads cubins, which the build makes for this test alone.
#include <elf.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace tessera::kernels {
namespace {

/// Instructions of a kernel from its first product on the tensor cores to its last one.
struct Counts {
  int products = 0;      // wgmma
  int moves = 0;         // R2UR: from a register of each lane to one of the warp
  int local_memory = 0;  // LDL, STL
};

// Hopper: 16 bytes an instruction, the operation in the lowest 12 bits.
constexpr std::size_t kInstructionBytes = 16;
bool is_product(unsigned operation) {
  const unsigned kind = operation & 0xbff;  // bit 10: A in registers
  return kind == 0x9f0 || kind == 0x9f3;    // HGMMA, QGMMA
}
bool is_move(unsigned operation) {
  return operation == 0x2ca;
}
bool is_local(unsigned operation) {
  return operation == 0x983 || operation == 0x387;
}

Counts count(const char* code, std::size_t bytes) {
  Counts sums, until_product;
  for (std::size_t at = 0; at + kInstructionBytes <= bytes; at += kInstructionBytes) {
    std::uint64_t word;
    std::memcpy(&word, code + at, sizeof word);
    const auto operation = static_cast<unsigned>(word & 0xfff);
    if (is_product(operation)) {
      ++until_product.products;
      sums = until_product;
    }
    if (until_product.products == 0) continue;
    until_product.moves += is_move(operation);
    until_product.local_memory += is_local(operation);
  }
  return sums;
}

template <class T>
T read_at(const std::string& file, std::size_t at) {
  T value{};
  if (at + sizeof value > file.size()) throw std::runtime_error("the cubin is cut off");
  std::memcpy(&value, file.data() + at, sizeof value);
  return value;
}

/// Kernels of a cubin, an ELF file with a section .text.NAME for each.
std::map<std::string, Counts> kernels_of(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  const std::string file = text.str();
  const auto head = read_at<Elf64_Ehdr>(file, 0);
  const auto section = [&](std::size_t i) {
    return read_at<Elf64_Shdr>(file, head.e_shoff + i * sizeof(Elf64_Shdr));
  };
  const Elf64_Shdr names = section(head.e_shstrndx);
  std::map<std::string, Counts> kernels;
  for (std::size_t i = 0; i < head.e_shnum; ++i) {
    const Elf64_Shdr s = section(i);
    const std::string name = file.c_str() + names.sh_offset + s.sh_name;
    if (!name.starts_with(".text.")) continue;
    read_at<char>(file, s.sh_offset + s.sh_size - 1);  // it is all there
    const Counts counts = count(file.data() + s.sh_offset, s.sh_size);
    if (counts.products > 0) kernels[name.substr(6)] = counts;
  }
  return kernels;
}

void expect_good_code(const std::string& source, std::size_t kernels,
                      const char* except = nullptr) {
  const auto all = kernels_of(std::filesystem::path(TESSERA_CUBINS) / (source + ".cubin"));
  EXPECT_EQ(all.size(), kernels) << "kernels with wgmma in " << source;
  for (const auto& [name, counts] : all) {
    if (except && name.find(except) != std::string::npos) continue;
    EXPECT_LT(counts.moves, counts.products) << name << ": descriptors are not uniform";
    EXPECT_EQ(counts.local_memory, 0) << name << ": local memory between products";
  }
}

TEST(CodeOfHopper, AttentionKeepsDescriptorsUniform) {
  // The backward kernel that is not deterministic, which is not the default, has 144 moves.
  expect_good_code("attention", 3, "attention_backward_kernelILb0E");
}
TEST(CodeOfHopper, DecodingKeepsDescriptorsUniform) {
  expect_good_code("attention_decode", 4);
}
TEST(CodeOfHopper, ExpertProductsKeepDescriptorsUniform) {
  expect_good_code("grouped_product", 5);
  expect_good_code("product_fp8_sm90", 8);
}

}  // namespace
}  // namespace tessera::kernels
