// SPDX-License-Identifier: MIT
// SQLite with handles that close themselves; shared by the files of the library.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace tessera::library {

/// The file is no sound database: to be set aside and made anew.
class Damaged : public Error {
 public:
  using Error::Error;
};

class Database {
 public:
  /// Opens or creates, with WAL and a busy timeout of ten seconds. Throws Damaged or Error.
  explicit Database(const std::filesystem::path& file);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void execute(const char* sql);
  sqlite3* handle() const { return handle_; }
  /// Throws what a result code means, unless it means success.
  void check(int code) const;

 private:
  std::string name_;
  sqlite3* handle_ = nullptr;
};

/// One prepared statement; arguments are bound in order, columns read by number.
class Statement {
 public:
  Statement(Database& database, const char* sql);
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  template <class... Args>
  Statement& bind(const Args&... args) {
    int index = 0;
    (bind_one(++index, args), ...);
    return *this;
  }
  /// Steps to the next row; false: there is none.
  bool next();
  void run() {
    while (next()) {
    }
  }

  std::int64_t integer(int column) const;
  double number(int column) const;  ///< NULL is NaN
  std::string text(int column) const;
  std::string_view blob(int column) const;  ///< until the next step

 private:
  void bind_one(int index, std::int64_t value);
  void bind_one(int index, int value) { bind_one(index, static_cast<std::int64_t>(value)); }
  void bind_one(int index, bool value) { bind_one(index, static_cast<std::int64_t>(value)); }
  void bind_one(int index, double value);
  void bind_one(int index, const std::string& value);
  void bind_one(int index, std::string_view blob);

  Database& database_;
  sqlite3_stmt* handle_ = nullptr;
};

/// Rolls back unless committed.
class Transaction {
 public:
  explicit Transaction(Database& database) : database_(database) {
    database_.execute("BEGIN IMMEDIATE");
  }
  ~Transaction() {
    if (!done_) sqlite3_exec(database_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit() {
    database_.execute("COMMIT");
    done_ = true;
  }

 private:
  Database& database_;
  bool done_ = false;
};

}  // namespace tessera::library
