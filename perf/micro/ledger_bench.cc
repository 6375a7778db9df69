// SPDX-License-Identifier: Apache-2.0
// What a record costs: its encoding, its way through append and commit to a report by the disk that
// the current folder is on (CPU and wall clock, by records a commit), and its replay at a start.
// Items are records. A commit's wall clock is the disk's; its CPU is what a shard pays.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/rng.h"
#include "io/uring_io.h"
#include "ledger/ledger.h"
#include "ledger/open_table.h"
#include "ledger/recovery.h"
#include "ledger/replay.h"
#include "shard/shard.h"

namespace leat::ledger {
namespace {

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "ledger_bench: %s\n", what);
  std::exit(1);
}

// A record as most are.
UsageRecord usual_record(std::string_view id) {
  UsageRecord record;
  record.generation_id = id;
  record.key_id = "3f1c9a5be4d27780";
  record.organisation_id = "org-1";
  record.workspace_id = "default";
  record.app_referer = "https://app.example/";
  record.app_title = "An application";
  record.api = "chat";
  record.model_asked = "some/model-large";
  record.model_served = "some/model-large";
  record.provider = "one";
  record.endpoint = "one/fp8";
  record.upstream_id = "chatcmpl-0123456789abcdef0123456789ab";
  record.finish_reason = "stop";
  record.native_finish_reason = "stop";
  record.add_attempt({.endpoint = "one/fp8",
                      .provider = "one",
                      .upstream_id = record.upstream_id,
                      .outcome = AttemptOutcome::kSucceeded,
                      .status = 200,
                      .latency = milliseconds(315),
                      .cost = 1'600'000});
  record.status = 200;
  record.tokens = {.prompt = 1'017, .cached = 512, .completion = 240, .reasoning = 25};
  record.price_version = 12;
  record.cost = record.charge = 1'600'000;
  record.reserved = 20'000'000;
  record.began = {1'790'000'000'123'456'789};
  record.first_token = milliseconds(360);
  record.total = seconds(3);
  record.flags.is_streamed = true;
  return record;
}

void BM_Encode(benchmark::State& state) {
  std::vector<char> out(kRecordBytesMax);
  const UsageRecord record = usual_record("gen-1790000000-0123456789abcdefghij");
  std::size_t size = encode(record, out);
  require(decode(std::span(out).first(size))->cost == record.cost, "a record came back changed");
  for (auto _ : state) benchmark::DoNotOptimize(size = encode(record, out));
  state.SetItemsProcessed(state.iterations());
  state.counters["bytes"] = static_cast<double>(size);
}
BENCHMARK(BM_Encode);

void BM_OpenTable(benchmark::State& state) {
  std::vector<std::uint64_t> memory(OpenTable::bytes_for(1'024) / 8);
  const std::span<char> bytes(reinterpret_cast<char*>(memory.data()), memory.size() * 8);
  OpenTable table(bytes, {});
  const OpenRequest request{.generation_id = "gen-1790000000-0123456789abcdefghij",
                            .key_id = "3f1c9a5be4d27780",
                            .organisation_id = "org-1",
                            .workspace_id = "default",
                            .api = "chat",
                            .model_asked = "some/model-large"};
  for (auto _ : state) table.end(table.begin(request));
  require(open_requests(bytes)->requests.empty(), "a slot was left");
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_OpenTable);

// Segments without names in the current folder.
class Files final : public SegmentSource {
 public:
  static constexpr std::uint64_t kBytes = 64 << 20;
  void want_segment() override { wanted_ = true; }
  void want_emergency() override {}
  void segment_done(const SegmentFile& file, SegmentFate fate) override {
    require(fate == SegmentFate::kSealed, "a write failed");
    ::close(file.fd);
  }
  void serve(Ledger& ledger) {
    if (!std::exchange(wanted_, false)) return;
    int fd = ::open(".", O_TMPFILE | O_RDWR | O_DIRECT, 0600);
    if (fd < 0) fd = ::open(".", O_TMPFILE | O_RDWR, 0600);
    require(fd >= 0, "no file can be made here");
    std::vector<char> zeros(kBytes + kBlockBytes);
    char* begin = zeros.data();
    begin += kBlockBytes - reinterpret_cast<std::uintptr_t>(begin) % kBlockBytes;
    const SegmentIdentity identity{.generation = 1, .number = made_++};
    write_segment_header({.identity = identity, .bytes = kBytes}, {begin, kBytes});
    require(::pwrite(fd, begin, kBytes, 0) == kBytes && ::fsync(fd) == 0, "no space");
    ledger.take_next({.fd = fd, .identity = identity, .bytes = kBytes});
  }

 private:
  bool wanted_ = false;
  std::uint64_t made_ = 0;
};

struct Waiter final : DurableWaiter {
  std::size_t* left = nullptr;
  void on_durable(bool is_durable) override {
    require(is_durable, "a record is not durable");
    --*left;
  }
};

// So many requests end in one turn, and all wait.
void BM_Commit(benchmark::State& state) {
  auto io = io::UringIo::create({});
  require(io.has_value(), "no io_uring here");
  Rng rng(1);
  shard::Shard shard(**io, rng, 0);
  Files files;
  Ledger ledger(shard, files, {});
  // The first and the next: making one takes longer than a thousand commits.
  files.serve(ledger);
  files.serve(ledger);
  std::size_t left = 0;
  std::vector<Waiter> waiters(static_cast<std::size_t>(state.range(0)));
  const UsageRecord record = usual_record("gen-1790000000-0123456789abcdefghij");
  for (auto _ : state) {
    left = waiters.size();
    for (Waiter& waiter : waiters) {
      waiter.left = &left;
      require(ledger.append(record, &waiter) == Ledger::Appended::kWaiting, "it is not taken");
    }
    while (left > 0) {
      shard.run_turn(shard.now() + milliseconds(10));
      files.serve(ledger);
    }
  }
  const auto& stats = ledger.stats();
  require(stats.entries == static_cast<std::uint64_t>(state.iterations()) * waiters.size(),
          "records are missing");
  state.SetItemsProcessed(static_cast<std::int64_t>(stats.entries));
  state.counters["commits"] = static_cast<double>(stats.commits);
}
BENCHMARK(BM_Commit)->Arg(1)->Arg(16)->Arg(256)->UseRealTime();

// A million records, or fewer, as a start reads them, with 1,000 requests left open.
void BM_Recovery(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  std::vector<std::string> segments;
  std::vector<char> payload(kRecordBytesMax);
  std::uint64_t chain = 0;
  std::size_t end = 0;
  const std::uint64_t size = Files::kBytes;
  SegmentIdentity identity;
  const auto add = [&](FrameKind kind, std::size_t bytes, std::uint64_t sequence) {
    chain = write_frame({.kind = kind,
                         .payload_bytes = static_cast<std::uint32_t>(bytes),
                         .durable_bytes = kSegmentHeaderBytes,
                         .sequence = sequence},
                        segment_seed(identity), chain, std::span(segments.back()).subspan(end));
    end += frame_bytes(bytes);
  };
  for (std::size_t i = 0; i < count; ++i) {
    if (segments.empty() || end + 2 * kRecordBytesMax > size) {
      if (!segments.empty()) add(FrameKind::kSeal, 0, i);
      identity.number = segments.size();
      segments.emplace_back(size, '\0');
      write_segment_header({.identity = identity, .bytes = size}, segments.back());
      end = kSegmentHeaderBytes;
      std::memcpy(segments.back().data() + end + kFrameHeaderBytes, &identity.number, 8);
      add(FrameKind::kOpen, kOpenPayloadBytes, i);
    }
    const std::string id = "gen-1790000000-" + std::to_string(1'000'000'000 + i);
    const std::size_t bytes = encode(usual_record(id), payload);
    std::memcpy(segments.back().data() + end + kFrameHeaderBytes, payload.data(), bytes);
    add(FrameKind::kUsage, bytes, i);
  }
  const std::vector<std::span<const char>> files(segments.begin(), segments.end());
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < 1'000; ++i) {
    ids.push_back("gen-1790000000-" + std::to_string(1'000'000'000 + i * 2 * count / 1'000));
  }
  std::vector<OpenRequest> open;
  for (const std::string& id : ids) open.push_back({.generation_id = id});
  for (auto _ : state) {
    Recovery recovery(open);
    const ReplayReport report = replay(files, recovery);
    require(report.is_clean && recovery.records() == count, "records are missing");
    require(recovery.remaining().size() == 500, "half of them have no record");
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(count));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(size * segments.size()));
}
BENCHMARK(BM_Recovery)->Arg(10'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace leat::ledger

BENCHMARK_MAIN();
