// SPDX-License-Identifier: Apache-2.0
// The input is a script that spoils a segment: pairs of a place and a byte to put there; then what
// is left is a payload of its own. Reading a spoiled segment never leaves its bytes, gives no entry
// that was not written, and what it gives decodes or is refused. Who reads it piece by piece finds
// what the reader of whole segments finds.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "../unit/ledger/sample_record.h"
#include "../unit/ledger/segment_image.h"
#include "base/check.h"
#include "ledger/open_table.h"
#include "ledger/recovery.h"
#include "ledger/replay.h"
#include "ledger/segment_cursor.h"

namespace {

using namespace leat::ledger;

struct Reader final : EntryVisitor {
  std::vector<std::string_view> payloads;
  void on_entry(const SegmentHeader&, const Entry& entry) override {
    payloads.emplace_back(entry.payload.data(), entry.payload.size());
  }
};

void check_record(std::string_view bytes) {
  const auto record = decode(bytes);
  const auto id = decode_generation_id(bytes);
  if (!record) return;
  LEAT_CHECK(id && *id == record->generation_id);
  std::vector<char> out(kRecordBytesMax);
  const auto again = decode(std::span(out).first(encode(*record, out)));
  LEAT_CHECK(again && again->cost == record->cost && again->tokens == record->tokens);
}

// A cursor does not judge what lies behind an entry, so it may go on where the reader stops.
void check_cursor(std::span<const char> file, std::size_t piece) {
  auto reader = SegmentReader::open(file);
  if (!reader) return;
  SegmentCursor cursor(reader->header());
  std::size_t size = piece;
  for (;;) {
    Entry entry;
    const auto rest = file.subspan(cursor.at());
    const auto step = cursor.next(rest.first(std::min(size, rest.size())), entry);
    if (step == SegmentCursor::Step::kMore) {
      LEAT_CHECK(cursor.wanted() > size);
      if (cursor.wanted() > rest.size()) break;
      size = cursor.wanted();
      continue;
    }
    if (step != SegmentCursor::Step::kEntry && step != SegmentCursor::Step::kBegun) break;
    size = piece;
    if (step == SegmentCursor::Step::kBegun) continue;
    const auto whole = reader->next();
    LEAT_CHECK(!whole || (whole->sequence == entry.sequence &&
                          std::ranges::equal(whole->payload, entry.payload)));
  }
  LEAT_CHECK(!reader->next());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kStepBytes = 3;
  constexpr std::size_t kStepsMax = 16;
  SegmentImage image;
  std::vector<char> record(kRecordBytesMax);
  const std::string payload(record.data(), encode(sample_record(), record));
  image.entry(payload).commit().entry(payload_of(900, 'x')).entry(payload).commit();
  for (std::size_t step = 0; step < kStepsMax && size > kStepBytes; ++step) {
    const std::size_t place = (data[0] | std::size_t{data[1]} << 8) % image.bytes.size();
    image.bytes[place] = static_cast<char>(data[2]);
    data += kStepBytes;
    size -= kStepBytes;
    if (place == 0) break;  // the script's end
  }
  const std::string_view rest(reinterpret_cast<const char*>(data), size);
  const std::string_view files[] = {image.bytes, rest};
  const std::vector<std::span<const char>> spans(std::begin(files), std::end(files));
  Reader reader;
  const ReplayReport report = replay(spans, reader);
  LEAT_CHECK(report.entries == reader.payloads.size() && report.entries <= 3);
  for (const std::string_view each : reader.payloads) check_record(each);
  check_record(rest);
  check_cursor(image.bytes, size % 4'096);
  static_cast<void>(open_requests(rest));
  return 0;
}
