// SPDX-License-Identifier: Apache-2.0
// SqliteDatabase: one SQLite file, and statements on it, without the library's header. Used on one
// thread. What goes wrong stays with the database until it is taken, and makes all that follows do
// nothing, so that a function of ten statements asks once, at its end.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace leat::control {

struct SqliteFault {
  enum class Kind : std::uint8_t {
    kTaken,    // a value that must be unique is there already
    kBroken,   // another rule of the schema
    kBusy,     // another process has the file
    kDamaged,  // not a database, or a damaged one
    kOther,    // disk full, no right to write, ...
  };
  Kind kind = Kind::kOther;
  std::string text;
};

class SqliteDatabase {
 public:
  // `path` may be ":memory:". The file is made if there is none, readable by its owner only.
  static std::expected<std::unique_ptr<SqliteDatabase>, SqliteFault> open(const std::string& path);
  ~SqliteDatabase();
  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;

  // Several statements without values.
  void run(const char* sql);
  std::int64_t last_id() const;
  // Rows that the last statement changed.
  std::int64_t changed() const;
  std::int64_t number(const char* sql);  // the first column of the first row, or 0

  bool has_fault() const { return fault_.has_value(); }
  std::optional<SqliteFault> take_fault();

 private:
  friend class SqliteStatement;
  friend class SqliteTransaction;
  explicit SqliteDatabase(sqlite3* handle) : handle_(handle) {}
  void note_fault();

  sqlite3* handle_;
  std::optional<SqliteFault> fault_;
};

// Values are bound in order, columns read in order. Views of columns hold until the next step().
class SqliteStatement {
 public:
  SqliteStatement(SqliteDatabase& database, std::string_view sql);
  ~SqliteStatement();
  SqliteStatement(const SqliteStatement&) = delete;
  SqliteStatement& operator=(const SqliteStatement&) = delete;

  SqliteStatement& bind(std::int64_t value);
  SqliteStatement& bind(std::string_view text);
  SqliteStatement& bind(const char* text) { return bind(std::string_view(text)); }
  SqliteStatement& bind_blob(std::span<const std::uint8_t> bytes);
  SqliteStatement& bind_null();

  // True: there is a row. False: no more, or a fault.
  bool step();

  std::int64_t integer();
  // Null: none.
  std::optional<std::int64_t> optional_integer();
  std::string_view text();
  std::string_view blob();
  bool is_null();  // of the column that comes next, which stays next
  void skip() { ++column_; }

 private:
  SqliteDatabase& database_;
  sqlite3_stmt* statement_ = nullptr;
  int bound_ = 0;
  int column_ = 0;
};

// All or nothing: what is not committed is undone.
class SqliteTransaction {
 public:
  explicit SqliteTransaction(SqliteDatabase& database);
  ~SqliteTransaction();
  SqliteTransaction(const SqliteTransaction&) = delete;
  SqliteTransaction& operator=(const SqliteTransaction&) = delete;

  // What went wrong since the beginning, or nothing: it is on disk.
  std::optional<SqliteFault> commit();

 private:
  SqliteDatabase& database_;
  bool is_open_ = true;
};

}  // namespace leat::control
