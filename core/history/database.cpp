// SPDX-License-Identifier: MIT
#include "core/history/database.h"

#include <unistd.h>

#include <limits>

namespace tessera::library {

namespace {
/// SQLite gives the files beside a database the mode that the database has when they are made. Made
/// while it was read-only, they would keep it so for ever, although its owner may write it again.
void free_side_files(const std::filesystem::path& file) {
  if (::access(file.c_str(), W_OK) != 0) return;
  for (const char* suffix : {"-wal", "-shm"}) {
    const std::filesystem::path side = file.string() + suffix;
    std::error_code none;  // it is not there, or another user's: opening says what is wrong
    const auto modes = std::filesystem::status(file, none).permissions();
    const std::filesystem::file_status status = std::filesystem::status(side, none);
    if (none || !std::filesystem::exists(status) || status.permissions() == modes) continue;
    std::filesystem::permissions(side, modes, none);
  }
}

/// Where a database was removed while somebody had it open, the files beside it are still there,
/// and a new database of the same name must not take them for its own. Whoever opens a database
/// holds library.db.lock from before this call until it is open, so that no other process makes one
/// between the look and the removal.
void drop_stale_side_files(const std::filesystem::path& file) {
  const std::filesystem::path sides[] = {file.string() + "-wal", file.string() + "-shm"};
  std::error_code none;
  const bool there =
      std::filesystem::exists(sides[0], none) || std::filesystem::exists(sides[1], none);
  if (!there || std::filesystem::exists(file, none) || none) return;
  for (const auto& side : sides) std::filesystem::remove(side, none);
}
}  // namespace

Database::Database(const std::filesystem::path& file) : name_(file.string()) {
  drop_stale_side_files(file);
  free_side_files(file);
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX;
  const int code = sqlite3_open_v2(file.c_str(), &handle_, flags, nullptr);
  try {
    check(code);
    sqlite3_busy_timeout(handle_, 10'000);
    execute("PRAGMA journal_mode = WAL");
    execute("PRAGMA synchronous = NORMAL");
  } catch (...) {
    sqlite3_close(handle_);
    throw;
  }
}

Database::~Database() {
  sqlite3_close(handle_);
}

void Database::execute(const char* sql) {
  check(sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr));
}

void Database::check(int code) const {
  if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE) return;
  const std::string what = handle_ ? sqlite3_errmsg(handle_) : sqlite3_errstr(code);
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
    case SQLITE_SCHEMA:
    case SQLITE_MISMATCH:
      throw Damaged(name_, what);
    case SQLITE_FULL:
      throw Error(name_, what, "free some space on this disk");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw Error(name_, "is kept busy by another program: " + what);
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
      throw Error(name_, what, "set TESSERA_HOME to a folder that you may write to");
    default:
      throw Error(name_, what);
  }
}

Statement::Statement(Database& database, const char* sql) : database_(database) {
  const int code = sqlite3_prepare_v2(database.handle(), sql, -1, &handle_, nullptr);
  // The schema is ours: a table or column that is missing means a foreign or spoilt file.
  if ((code & 0xff) == SQLITE_ERROR) {
    throw Damaged("library", sqlite3_errmsg(database.handle()));
  }
  database_.check(code);
}

Statement::~Statement() {
  sqlite3_finalize(handle_);
}

bool Statement::next() {
  const int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  sqlite3_reset(handle_);
  database_.check(code);
  return false;
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(handle_, column);
}

double Statement::number(int column) const {
  if (sqlite3_column_type(handle_, column) == SQLITE_NULL) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  return sqlite3_column_double(handle_, column);
}

std::string Statement::text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(handle_, column));
  return text ? std::string(text, static_cast<std::size_t>(sqlite3_column_bytes(handle_, column)))
              : std::string();
}

std::string_view Statement::blob(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(handle_, column));
  const int bytes = sqlite3_column_bytes(handle_, column);
  return data ? std::string_view(data, static_cast<std::size_t>(bytes)) : std::string_view();
}

void Statement::bind_one(int index, std::int64_t value) {
  database_.check(sqlite3_bind_int64(handle_, index, value));
}
void Statement::bind_one(int index, double value) {
  database_.check(sqlite3_bind_double(handle_, index, value));  // NaN becomes NULL
}
void Statement::bind_one(int index, const std::string& value) {
  database_.check(sqlite3_bind_text(handle_, index, value.data(), static_cast<int>(value.size()),
                                    SQLITE_TRANSIENT));
}
void Statement::bind_one(int index, std::string_view blob) {
  database_.check(sqlite3_bind_blob64(handle_, index, blob.empty() ? "" : blob.data(), blob.size(),
                                      SQLITE_TRANSIENT));
}

}  // namespace tessera::library
