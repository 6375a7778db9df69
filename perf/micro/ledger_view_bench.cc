// SPDX-License-Identifier: Apache-2.0
// What a start costs that reads a ledger: all records of a folder, and only those since the
// projection was saved. Items are records. The folder is made in the current one; what is read is
// then in the system's memory, so a cold disk adds what it takes to read.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "control/ledger_view.h"
#include "ledger/record.h"
#include "ledger/segment_format.h"

namespace leat::control {
namespace {

constexpr std::uint64_t kSegmentBytes = std::uint64_t{64} << 20;
constexpr std::int64_t kBegan = 1'790'000'000'000'000'000;
constexpr std::size_t kKeys = 1'000;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "ledger_view_bench: %s\n", what);
  std::exit(1);
}

std::size_t encode_usual(std::size_t number, std::span<char> out) {
  const std::string id = "gen-1lblv00-" + std::to_string(10'000'000'000 + number) + "abcdefghi";
  const std::string key = "#" + std::to_string(1 + number % kKeys);
  const std::string model = "some/model-" + std::to_string(number % 30);
  ledger::UsageRecord record;
  record.generation_id = id;
  record.key_id = key;
  record.organisation_id = "#1";
  record.workspace_id = "#1";
  record.app_referer = "https://app.example/";
  record.app_title = "An application";
  record.api = "chat";
  record.model_asked = record.model_served = model;
  record.provider = "one";
  record.endpoint = "one/fp8";
  record.upstream_id = "chatcmpl-0123456789abcdef0123456789ab";
  record.finish_reason = record.native_finish_reason = "stop";
  record.add_attempt({.endpoint = "one/fp8",
                      .provider = "one",
                      .upstream_id = record.upstream_id,
                      .outcome = ledger::AttemptOutcome::kSucceeded,
                      .status = 200,
                      .latency = milliseconds(315),
                      .cost = 1'600'000});
  record.status = 200;
  record.tokens = {.prompt = 1'017, .cached = 512, .completion = 240, .reasoning = 25};
  record.price_version = 12;
  record.cost = record.charge = 1'600'000;
  record.reserved = 60'000'000;
  record.began = {kBegan + static_cast<std::int64_t>(number) * 1'000'000};
  record.total = seconds(3);
  return ledger::encode(record, out);
}

// A folder with so many records of one shard, as a gateway leaves them; gone with this.
class Folder {
 public:
  explicit Folder(std::size_t records) : path("ledger-view-bench." + std::to_string(::getpid())) {
    std::filesystem::create_directory(path);
    std::size_t number = 0;
    std::uint64_t chain = 0;
    for (std::uint64_t ordinal = 0; number < records; ++ordinal) {
      write_segment(ordinal, records, number, chain);
    }
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path); }

  std::string path;

 private:
  void write_segment(std::uint64_t ordinal, std::size_t records, std::size_t& number,
                     std::uint64_t& chain) const {
    const ledger::SegmentIdentity identity{.generation = 1, .shard = 0, .number = ordinal};
    std::vector<char> bytes(kSegmentBytes);
    ledger::write_segment_header({.identity = identity, .bytes = kSegmentBytes, .created = {1}},
                                 bytes);
    std::size_t end = ledger::kSegmentHeaderBytes;
    const auto add = [&](ledger::FrameKind kind, std::size_t size) {
      chain = ledger::write_frame(
          {.kind = kind, .payload_bytes = static_cast<std::uint32_t>(size), .sequence = number},
          ledger::segment_seed(identity), chain, std::span(bytes).subspan(end));
      end += ledger::frame_bytes(size);
    };
    std::memcpy(bytes.data() + end + ledger::kFrameHeaderBytes, &ordinal, sizeof ordinal);
    add(ledger::FrameKind::kOpen, ledger::kOpenPayloadBytes);
    while (number < records && end + 2 * ledger::kRecordBytesMax < kSegmentBytes) {
      const auto payload = std::span(bytes).subspan(end + ledger::kFrameHeaderBytes);
      add(ledger::FrameKind::kUsage, encode_usual(number, payload));
      ++number;
    }
    add(number < records ? ledger::FrameKind::kSeal : ledger::FrameKind::kEnd, 0);
    const std::string name = path + "/" + segment_file(identity).name;
    std::FILE* file = std::fopen(name.c_str(), "wb");
    require(file != nullptr, "no place for the folder");
    require(std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size(), "a full disk");
    std::fclose(file);
  }
};

constexpr WallTime kNow{kBegan + 86'400'000'000'000};

void read_all(benchmark::State& state, const std::string& path, LedgerView::Source source,
              std::size_t records) {
  for (auto _ : state) {
    const auto view = LedgerView::open(path, AccountNames(), source);
    require(view && (*view)->poll(kNow), "the folder cannot be read");
    require((*view)->is_resumed() == (source == LedgerView::Source::kProjection),
            "another way was taken");
    require((*view)->book().records() == records, "records are lost");
    require((*view)->book().charged() == static_cast<std::int64_t>(records) * 1'600'000,
            "money is lost");
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(records));
}

// As many as an argument says, `--records=1000000`; few without, for the run among the tests.
std::size_t records_of(int argc, char** argv) {
  constexpr std::string_view kOption = "--records=";
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument(argv[i]);
    if (argument.starts_with(kOption)) return std::strtoull(argv[i] + kOption.size(), nullptr, 10);
  }
  return 20'000;
}

int run(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  const std::size_t records = records_of(argc, argv);
  const Folder folder(records);
  {
    const auto view = LedgerView::open(folder.path);
    require(view && (*view)->poll(kNow) && (*view)->save(), "the projection cannot be saved");
  }
  const auto add = [&](const char* name, LedgerView::Source source) {
    benchmark::RegisterBenchmark(
        name,
        [&, source](benchmark::State& state) { read_all(state, folder.path, source, records); })
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
  };
  add("BM_StartFromSegments", LedgerView::Source::kSegments);
  add("BM_StartFromProjection", LedgerView::Source::kProjection);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace
}  // namespace leat::control

int main(int argc, char** argv) {
  return leat::control::run(argc, argv);
}
