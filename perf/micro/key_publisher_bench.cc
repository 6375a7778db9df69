// SPDX-License-Identifier: Apache-2.0
// What a start costs that reads the client keys: a million from the store's file into the table
// that shards look them up in. The file is made in the current folder, and is then in the system's
// memory. Goal: 1 s.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "control/account_store.h"
#include "control/key_publisher.h"
#include "control/sqlite.h"

namespace leat::control {
namespace {

constexpr std::size_t kKeys = 1'000'000;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "key_publisher_bench: %s\n", what);
  std::exit(1);
}

// A store of keys that have some limits each and a budget.
class StoreFile {
 public:
  StoreFile() : path_(fmt::format("key_publisher_bench.{}.db", getpid())) {
    open_store();
    store_.reset();  // it keeps the file to itself
    write_keys();
    open_store();
  }
  ~StoreFile() {
    store_.reset();
    for (const char* const end : {"", "-wal", "-shm"}) std::filesystem::remove(path_ + end);
  }
  StoreFile(const StoreFile&) = delete;
  StoreFile& operator=(const StoreFile&) = delete;

  AccountStore& store() { return *store_; }

 private:
  void open_store() {
    auto opened = AccountStore::open(path_, 1);
    require(opened.has_value(), "no store");
    store_ = std::move(*opened);
  }
  void write_keys() {
    const auto database = SqliteDatabase::open(path_);
    require(database.has_value(), "no database");
    (*database)->run(
        fmt::format("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{}) "
                    "INSERT INTO keys(digest,organisation,workspace,name,label,scope,"
                    "requests_per_minute,tokens_per_minute,budget_monthly,created_at) "
                    "SELECT randomblob(32),1,1,'key '||i,'sk-leat-v1-abc...xyz',0,600,200000,"
                    "50000000000,1790000000 FROM n",
                    kKeys)
            .c_str());
    require(!(*database)->take_fault(), "the keys could not be written");
  }

  std::string path_;
  std::unique_ptr<AccountStore> store_;
};

void BM_FirstKeyTable(benchmark::State& state) {
  StoreFile file;
  const policy::Catalogue catalogue;
  for (auto _ : state) {
    KeyPublisher publisher(file.store(), catalogue);
    require(publisher.load().has_value(), "the keys could not be read");
    require(publisher.table().size() == kKeys, "keys are missing");
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kKeys));
}
BENCHMARK(BM_FirstKeyTable)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace leat::control

BENCHMARK_MAIN();
