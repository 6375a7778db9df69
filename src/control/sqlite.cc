// SPDX-License-Identifier: Apache-2.0
#include "control/sqlite.h"

#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <utility>

#include "base/check.h"

namespace leat::control {

namespace {

SqliteFault::Kind kind_of(int code) {
  switch (code & 0xff) {
    case SQLITE_CONSTRAINT:
      return code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY
                 ? SqliteFault::Kind::kTaken
                 : SqliteFault::Kind::kBroken;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return SqliteFault::Kind::kBusy;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return SqliteFault::Kind::kDamaged;
    default:
      return SqliteFault::Kind::kOther;
  }
}

}  // namespace

std::expected<std::unique_ptr<SqliteDatabase>, SqliteFault> SqliteDatabase::open(
    const std::string& path) {
  sqlite3* handle = nullptr;
  // Keys of providers are in it, encrypted or not: nobody else reads it, its log or its copies.
  const mode_t mask = umask(0077);
  const int opened =
      sqlite3_open_v2(path.c_str(), &handle,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  umask(mask);
  LEAT_CHECK(handle != nullptr);  // but for want of memory
  std::unique_ptr<SqliteDatabase> database(new SqliteDatabase(handle));
  if (opened != SQLITE_OK) {
    database->note_fault();
    return std::unexpected(*database->take_fault());
  }
  sqlite3_extended_result_codes(handle, 1);
  return database;
}

SqliteDatabase::~SqliteDatabase() {
  sqlite3_close_v2(handle_);
}

void SqliteDatabase::note_fault() {
  if (fault_) return;
  fault_ = SqliteFault{kind_of(sqlite3_extended_errcode(handle_)), sqlite3_errmsg(handle_)};
}

std::optional<SqliteFault> SqliteDatabase::take_fault() {
  return std::exchange(fault_, std::nullopt);
}

void SqliteDatabase::run(const char* sql) {
  if (fault_) return;
  if (sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) note_fault();
}

std::int64_t SqliteDatabase::last_id() const {
  return sqlite3_last_insert_rowid(handle_);
}

std::int64_t SqliteDatabase::changed() const {
  return sqlite3_changes64(handle_);
}

std::int64_t SqliteDatabase::number(const char* sql) {
  SqliteStatement statement(*this, sql);
  return statement.step() ? statement.integer() : 0;
}

SqliteStatement::SqliteStatement(SqliteDatabase& database, std::string_view sql)
    : database_(database) {
  if (database_.fault_) return;
  if (sqlite3_prepare_v2(database_.handle_, sql.data(), static_cast<int>(sql.size()), &statement_,
                         nullptr) != SQLITE_OK) {
    database_.note_fault();
  }
}

SqliteStatement::~SqliteStatement() {
  sqlite3_finalize(statement_);
}

SqliteStatement& SqliteStatement::bind(std::int64_t value) {
  if (statement_ != nullptr) sqlite3_bind_int64(statement_, ++bound_, value);
  return *this;
}

SqliteStatement& SqliteStatement::bind(std::string_view text) {
  // Null data would bind NULL.
  const char* data = text.data() == nullptr ? "" : text.data();
  if (statement_ != nullptr) {
    sqlite3_bind_text64(statement_, ++bound_, data, text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  }
  return *this;
}

SqliteStatement& SqliteStatement::bind_blob(std::span<const std::uint8_t> bytes) {
  if (statement_ != nullptr) {
    sqlite3_bind_blob64(statement_, ++bound_, bytes.data(), bytes.size(), SQLITE_TRANSIENT);
  }
  return *this;
}

SqliteStatement& SqliteStatement::bind_null() {
  if (statement_ != nullptr) sqlite3_bind_null(statement_, ++bound_);
  return *this;
}

bool SqliteStatement::step() {
  if (statement_ == nullptr || database_.fault_) return false;
  column_ = 0;
  const int result = sqlite3_step(statement_);
  if (result == SQLITE_ROW) return true;
  if (result != SQLITE_DONE) database_.note_fault();
  return false;
}

std::int64_t SqliteStatement::integer() {
  return sqlite3_column_int64(statement_, column_++);
}

// The value is asked for once: what each of the usual calls does around it takes longer than to
// read it.
std::optional<std::int64_t> SqliteStatement::optional_integer() {
  sqlite3_value* const value = sqlite3_column_value(statement_, column_++);
  if (sqlite3_value_type(value) == SQLITE_NULL) return std::nullopt;
  return sqlite3_value_int64(value);
}

std::string_view SqliteStatement::text() {
  const unsigned char* text = sqlite3_column_text(statement_, column_);
  const int size = sqlite3_column_bytes(statement_, column_++);
  return {reinterpret_cast<const char*>(text), static_cast<std::size_t>(size)};
}

std::string_view SqliteStatement::blob() {
  const void* bytes = sqlite3_column_blob(statement_, column_);
  const int size = sqlite3_column_bytes(statement_, column_++);
  return {static_cast<const char*>(bytes), static_cast<std::size_t>(size)};
}

bool SqliteStatement::is_null() {
  return sqlite3_column_type(statement_, column_) == SQLITE_NULL;
}

SqliteTransaction::SqliteTransaction(SqliteDatabase& database) : database_(database) {
  database_.run("BEGIN IMMEDIATE");
}

SqliteTransaction::~SqliteTransaction() {
  if (!is_open_) return;
  // Whatever went wrong before, this must be tried; that there is nothing to undo is no fault.
  const auto fault = database_.take_fault();
  database_.run("ROLLBACK");
  database_.take_fault();
  database_.fault_ = fault;
}

std::optional<SqliteFault> SqliteTransaction::commit() {
  database_.run("COMMIT");
  auto fault = database_.take_fault();
  if (!fault) is_open_ = false;
  return fault;
}

}  // namespace leat::control
