// SPDX-License-Identifier: Apache-2.0
#include "control/ledger_tail.h"

#include <algorithm>
#include <span>

#include "ledger/crc32c.h"

namespace leat::control {
namespace {

using ledger::SegmentCursor;
using Step = ledger::SegmentCursor::Step;

// Enough for a header and a first frame, and of a segment that is waited at for what is new.
constexpr std::size_t kFirstReadBytes = 64 * 1024;

}  // namespace

// The bytes of a file from a cursor's place on, read as they are needed.
class LedgerTail::Reader {
 public:
  Reader(const ReadableFile& file, std::vector<char>& buffer) : file_(file), buffer_(buffer) {}

  // Steps on, with as many reads as that takes.
  Result<Step> next(SegmentCursor& cursor, ledger::Entry& entry) {
    for (;;) {
      const std::size_t skip = cursor.at() - offset_;
      const auto bytes = std::span<const char>(buffer_).first(size_);
      const Step step = cursor.next(bytes.subspan(std::min(skip, size_)), entry);
      if (step != Step::kMore) return step;
      LEAT_TRY(const bool is_more, fetch(cursor.at(), cursor.wanted()));
      if (!is_more) return Step::kPending;
    }
  }
  std::size_t bytes_read() const { return bytes_read_; }

 private:
  // False: the file has no so many bytes from there on.
  Result<bool> fetch(std::uint64_t at, std::size_t wanted) {
    const std::size_t size = std::max(bytes_read_ == 0 ? kFirstReadBytes : kReadBytes, wanted);
    buffer_.resize(std::max(buffer_.size(), size));
    offset_ = at;
    LEAT_TRY(size_, file_.read(at, std::span(buffer_).first(size)));
    bytes_read_ += size_;
    return size_ >= wanted;
  }

  const ReadableFile& file_;
  std::vector<char>& buffer_;
  std::uint64_t offset_ = 0;  // in the file, of what the buffer holds
  std::size_t size_ = 0;
  std::size_t bytes_read_ = 0;
};

Result<bool> LedgerTail::resume(const std::vector<TailPosition>& positions) {
  LEAT_TRY_VOID(look());
  for (const TailPosition& position : positions) {
    const auto found = streams_.find({position.segment.generation, position.segment.shard});
    if (found == streams_.end()) continue;
    Stream& stream = found->second;
    stream.position = position;
    stream.next_sequence = position.told;
    stream.has_begun = true;
    const auto segment = stream.segments.find(position.segment.number);
    if (segment == stream.segments.end()) continue;
    LEAT_TRY(const auto file, folder_.open_to_read(segment->second.file));
    std::vector<char> head(ledger::kSegmentHeaderBytes);
    LEAT_TRY(std::size_t size, file.read(0, head));
    const auto header = ledger::read_segment_header(std::span(head).first(size));
    if (!header) return false;
    SegmentCursor cursor(*header);
    LEAT_TRY(size, file.read(position.place.last, head));
    if (!cursor.resume(position.place, std::span(head).first(size))) return false;
    segment->second.cursor = cursor;
  }
  return true;
}

// Finds what files there are.
Result<bool> LedgerTail::look() {
  LEAT_TRY(const auto files, folder_.list());
  std::map<StreamKey, std::map<std::uint64_t, const LedgerFile*>> listed;
  for (const LedgerFile& file : files) {
    if (file.kind != LedgerFile::Kind::kSegment) continue;
    listed[{file.owner.generation, file.owner.shard}].emplace(file.owner.number, &file);
  }
  for (auto stream = streams_.begin(); stream != streams_.end();) {
    stream = listed.contains(stream->first) ? std::next(stream) : streams_.erase(stream);
  }
  for (const auto& [key, segments] : listed) {
    Stream& stream = streams_[key];
    std::erase_if(stream.segments,
                  [&](const auto& known) { return !segments.contains(known.first); });
    for (const auto& [number, file] : segments) {
      stream.segments.try_emplace(number, Segment{.file = *file, .cursor = {}, .is_done = false});
    }
  }
  return true;
}

Result<bool> LedgerTail::poll(TailVisitor& visitor, std::size_t bytes_max) {
  LEAT_TRY_VOID(look());
  std::size_t budget = bytes_max;
  for (auto& [key, stream] : streams_) {
    if (stream.is_over) continue;
    LEAT_TRY_VOID(begin_segments(stream));
    LEAT_TRY_VOID(follow(stream, visitor, budget));
    if (budget == 0) return true;
    if (key.first < ended_below_) stream.is_over = true;
  }
  return false;
}

// Looks which segments were used for the first time.
Result<bool> LedgerTail::begin_segments(Stream& stream) {
  for (auto& [number, segment] : stream.segments) {
    if (segment.is_done || (segment.cursor && segment.cursor->has_begun())) continue;
    if (only_ && !only_->contains(segment.file.name)) continue;
    const auto file = folder_.open_to_read(segment.file);
    if (!file && is_gone(file.error())) continue;
    if (!file) return fail(file.error());
    std::vector<char> head(ledger::kSegmentHeaderBytes + ledger::kBlockBytes);
    LEAT_TRY(const std::size_t size, file->read(0, head));
    const auto bytes = std::span<const char>(head).first(size);
    const auto header = ledger::read_segment_header(bytes);
    if (!header || header->identity != segment.file.owner) continue;
    segment.cursor.emplace(*header);
    ledger::Entry none;
    segment.cursor->next(bytes.subspan(ledger::kSegmentHeaderBytes), none);
    const bool is_old = stream.position && segment.cursor->has_begun() &&
                        segment.cursor->place().ordinal < stream.position->place.ordinal;
    if (is_old) segment.is_done = true;
  }
  return true;
}

// Reads on, in the order in which the segments were used. That the next one was used is known
// before the one in front of it is read: what it has then is all that it will ever have.
Result<bool> LedgerTail::follow(Stream& stream, TailVisitor& visitor, std::size_t& budget) {
  std::vector<Segment*> used;
  for (auto& [number, segment] : stream.segments) {
    if (!segment.is_done && segment.cursor && segment.cursor->has_begun()) used.push_back(&segment);
  }
  std::sort(used.begin(), used.end(), [](const Segment* a, const Segment* b) {
    return a->cursor->place().ordinal < b->cursor->place().ordinal;
  });
  for (std::size_t i = 0; i < used.size() && budget > 0; ++i) {
    LEAT_TRY(const Step step, read(stream, *used[i], visitor, budget));
    if (step == Step::kEnded) stream.is_over = true;
    const bool is_left = step == Step::kPending && budget > 0 && i + 1 < used.size();
    if (step == Step::kSealed || step == Step::kEnded || is_left) {
      used[i]->is_done = true;
    } else {
      break;
    }
  }
  return true;
}

// Ends with kSealed, kEnded, or kPending: nothing more is there, or the budget is 0.
Result<Step> LedgerTail::read(Stream& stream, Segment& segment, TailVisitor& visitor,
                              std::size_t& budget) {
  SegmentCursor& cursor = *segment.cursor;
  const auto file = folder_.open_to_read(segment.file);
  if (!file && is_gone(file.error())) return Step::kPending;
  if (!file) return fail(file.error());
  const bool is_new = !stream.position || stream.position->segment != segment.file.owner;
  if (is_new) {
    const std::uint64_t first = cursor.place().next_sequence;
    if (stream.has_begun && first > stream.next_sequence) missing_ += first - stream.next_sequence;
    // Older segments may be gone to an archive: the first that is there is taken at its word.
    if (!stream.has_begun || first > stream.next_sequence) stream.next_sequence = first;
    stream.has_begun = true;
  }
  Reader reader(*file, buffer_);
  Step step = Step::kPending;
  std::size_t spent = 0;
  do {
    ledger::Entry entry;
    LEAT_TRY(step, reader.next(cursor, entry));
    if (step == Step::kEntry && entry.sequence >= stream.next_sequence) {
      stream.next_sequence = entry.sequence + 1;
      visitor.on_entry({.segment = segment.file.owner, .offset = cursor.place().last}, entry);
    }
    spent = reader.bytes_read();
  } while (step == Step::kEntry && spent < budget);
  stream.position = {
      .segment = segment.file.owner, .place = cursor.place(), .told = stream.next_sequence};
  if (step != Step::kEntry) return step;
  budget = 0;
  return Step::kPending;
}

void LedgerTail::read_only(const std::vector<LedgerFile>& files) {
  only_.emplace();
  for (const LedgerFile& file : files) only_->insert(file.name);
}

std::vector<LedgerTail::SegmentFacts> LedgerTail::segments() const {
  std::vector<SegmentFacts> all;
  for (const auto& [key, stream] : streams_) {
    for (const auto& [number, segment] : stream.segments) {
      SegmentFacts facts{.file = segment.file};
      const bool has_begun = segment.cursor && segment.cursor->has_begun();
      if (has_begun) {
        facts.ordinal = segment.cursor->place().ordinal;
        const bool is_read = segment.is_done || stream.is_over;
        facts.state = is_read ? SegmentState::kRead : SegmentState::kReading;
      } else if (segment.cursor) {
        facts.state = stream.is_over ? SegmentState::kNeverUsed : SegmentState::kUnused;
      }
      all.push_back(std::move(facts));
    }
  }
  return all;
}

std::vector<TailPosition> LedgerTail::positions() const {
  std::vector<TailPosition> positions;
  for (const auto& [key, stream] : streams_) {
    if (stream.position) positions.push_back(*stream.position);
  }
  return positions;
}

Result<std::string> read_payload(const SegmentFolder& folder, const RecordPlace& place) {
  LEAT_TRY(const auto file, folder.open_to_read(segment_file(place.segment)));
  std::string frame(ledger::frame_bytes(ledger::kRecordBytesMax), '\0');
  LEAT_TRY(const std::size_t size, file.read(place.offset, frame));
  const auto bytes = std::span<const char>(frame).first(size);
  ledger::FrameHeader header;
  const std::uint32_t seed = ledger::segment_seed(place.segment);
  if (size < ledger::kFrameHeaderBytes ||
      !ledger::read_frame_header(bytes.first(ledger::kFrameHeaderBytes), seed, header) ||
      size < ledger::frame_bytes(header.payload_bytes)) {
    return fail({.code = Code::kNotFound, .what = "there is no record at this place"});
  }
  const auto payload = bytes.subspan(ledger::kFrameHeaderBytes, header.payload_bytes);
  if (ledger::crc32c(seed, payload) != header.payload_crc) {
    return fail({.code = Code::kInvalid, .what = "the record at this place is damaged"});
  }
  return std::string(payload.begin(), payload.end());
}

}  // namespace leat::control
