// SPDX-License-Identifier: Apache-2.0
#include "control/ledger_view.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <utility>

#include "ledger/crc32c.h"
#include "ledger/varint.h"

namespace leat::control {
namespace {

constexpr const char* kProjection = "projection";
constexpr const char* kArchive = "archive";
constexpr std::string_view kMagic = "LEATPRJ1";
constexpr std::size_t kHeadBytes = kMagic.size() + sizeof(std::uint32_t);
constexpr std::size_t kPositionBytesMax = 9 * ledger::kVarintBytesMax;

std::uint32_t crc_of(std::string_view text) {
  return ledger::crc32c(0, {text.data(), text.size()});
}

template <class Write>
void append(std::string& out, Write write) {
  std::array<char, kPositionBytesMax + ledger::kVarintBytesMax> room;
  ledger::VarintWriter writer(room);
  write(writer);
  out.append(room.data(), writer.size());
}

void append_bytes(std::string& out, std::string_view bytes) {
  append(out, [&](ledger::VarintWriter& to) { to.number(bytes.size()); });
  out += bytes;
}

std::string framed(std::string_view content) {
  std::string out(kMagic);
  const std::uint32_t crc = crc_of(content);
  out.append(reinterpret_cast<const char*>(&crc), sizeof crc);
  return out.append(content);
}

// None: not whole, or of another version.
std::optional<std::string_view> unframed(std::string_view file) {
  if (file.size() < kHeadBytes || !file.starts_with(kMagic)) return std::nullopt;
  std::uint32_t crc = 0;
  std::memcpy(&crc, file.data() + kMagic.size(), sizeof crc);
  file.remove_prefix(kHeadBytes);
  if (crc_of(file) != crc) return std::nullopt;
  return file;
}

struct State {
  std::vector<TailPosition> positions;
  std::string_view book;
  std::string_view days;
  std::string_view index;  // empty: written before there was one
};

std::optional<State> read_state(std::string_view content) {
  ledger::VarintReader in(content);
  State state;
  for (std::uint64_t count = in.number(); count > 0 && in.ok(); --count) {
    TailPosition position;
    position.segment.generation = in.number();
    position.segment.shard = static_cast<std::uint32_t>(in.number());
    position.segment.number = in.number();
    position.place.at = static_cast<std::uint32_t>(in.number());
    position.place.last = static_cast<std::uint32_t>(in.number());
    position.place.ordinal = in.number();
    position.place.next_sequence = in.number();
    position.place.chain = in.number();
    position.told = in.number();
    state.positions.push_back(position);
  }
  state.book = in.bytes();
  state.days = in.bytes();
  if (!in.at_end()) state.index = in.bytes();
  if (!in.ok() || !in.at_end()) return std::nullopt;
  return state;
}

}  // namespace

LedgerView::LedgerView(SegmentFolder folder, std::string path, AccountNames names)
    : path_(std::move(path)),
      folder_(std::make_unique<SegmentFolder>(std::move(folder))),
      book_(std::move(names)),
      lookup_(std::make_unique<RecordLookup>(*folder_)),
      tail_(*folder_) {}

Result<std::unique_ptr<LedgerView>> LedgerView::open(const std::string& path, AccountNames names,
                                                     Source source) {
  const auto make = [&]() -> Result<std::unique_ptr<LedgerView>> {
    LEAT_TRY(auto folder, SegmentFolder::open(path));
    return std::unique_ptr<LedgerView>(new LedgerView(std::move(folder), path, names));
  };
  LEAT_TRY(auto view, make());
  if (source == Source::kProjection) {
    LEAT_TRY(view->is_resumed_, view->load(kProjection));
    if (view->is_resumed_) return view;
    LEAT_TRY(view, make());
  }
  LEAT_TRY(const bool has_archive, view->folder_->has_file(kArchive));
  if (!has_archive) return view;
  LEAT_TRY(const bool is_archive_sound, view->load(kArchive));
  if (!is_archive_sound) {
    return fail({.code = Code::kInvalid,
                 .what = "the ledger's archive of what retention removed is damaged"});
  }
  return view;
}

// False: it is not there, not whole, or the segments do not go on from it. This is to be thrown
// away then.
Result<bool> LedgerView::load(const char* name) {
  LEAT_TRY(const bool is_there, folder_->has_file(name));
  if (!is_there) return false;
  LEAT_TRY(const std::string file, folder_->read_file(name));
  const auto content = unframed(file);
  const auto state = content ? read_state(*content) : std::nullopt;
  // What is kept only to start sooner is of this version, or is made anew.
  if (state && name == std::string_view(kProjection) && !UsageBook::is_current(state->book)) {
    return false;
  }
  if (!state || !book_.decode(state->book) || !days_.decode(state->days)) return false;
  if (!state->index.empty() && !index_.decode(state->index)) return false;
  return tail_.resume(state->positions);
}

std::string LedgerView::encode() const {
  const std::vector<TailPosition> positions = tail_.positions();
  std::string out;
  append(out, [&](ledger::VarintWriter& to) { to.number(positions.size()); });
  for (const TailPosition& position : positions) {
    append(out, [&](ledger::VarintWriter& to) {
      to.number(position.segment.generation);
      to.number(position.segment.shard);
      to.number(position.segment.number);
      to.number(position.place.at);
      to.number(position.place.last);
      to.number(position.place.ordinal);
      to.number(position.place.next_sequence);
      to.number(position.place.chain);
      to.number(position.told);
    });
  }
  append_bytes(out, book_.encode());
  append_bytes(out, days_.encode());
  append_bytes(out, index_.encode());
  return out;
}

Result<bool> LedgerView::write(const char* name) const {
  return folder_->write_file(name, framed(encode()));
}

Result<bool> LedgerView::save() {
  return write(kProjection);
}

Result<bool> LedgerView::poll(WallTime now, std::size_t bytes_max) {
  if (!std::exchange(has_polled_, true)) lookup_->set_complete_after(now);
  LEAT_TRY(const bool is_more, tail_.poll(*this, bytes_max));
  days_.forget_before(day_of(now) - kDaysKept);
  index_.forget_before(day_of(now) - kDaysKept);
  return is_more;
}

void LedgerView::on_entry(const RecordPlace& place, const ledger::Entry& entry) {
  if (entry.kind != ledger::FrameKind::kUsage) return;
  if (!ledger::decode(entry.payload, record_)) return book_.count_unreadable();
  const UsageSums sums = sums_of(record_);
  book_.add(record_);
  days_.add(record_, sums);
  index_.add(record_, sums);
  lookup_->put(record_.generation_id, place);
}

Result<std::vector<LedgerFile>> LedgerView::expire(WallTime now, Duration retention,
                                                   std::size_t count_max) {
  std::vector<SegmentAge> segments;
  for (const LedgerTail::SegmentFacts& facts : tail_.segments()) {
    const auto file = folder_->open_to_read(facts.file);
    if (!file) continue;  // it went meanwhile
    LEAT_TRY(const WallTime written, file->written());
    segments.push_back(
        {.file = facts.file, .state = facts.state, .ordinal = facts.ordinal, .written = written});
  }
  std::vector<LedgerFile> expired =
      expired_segments(std::move(segments), {now.unix_ns - retention.ns});
  if (expired.empty()) return expired;
  // A second view, of the archive and of these segments alone, becomes the new archive.
  LEAT_TRY(auto folder, SegmentFolder::open(path_));
  LedgerView archive(std::move(folder), path_, AccountNames());
  archive.tail_.read_only(expired);
  LEAT_TRY(const bool has_archive, folder_->has_file(kArchive));
  if (has_archive) {
    LEAT_TRY(const bool is_sound, archive.load(kArchive));
    if (!is_sound) {
      return fail({.code = Code::kInvalid,
                   .what = "the ledger's archive of what retention removed is damaged"});
    }
  }
  LEAT_TRY_VOID(archive.poll(now));
  LEAT_TRY_VOID(archive.write(kArchive));
  // What goes must not be all that the projection stands on.
  LEAT_TRY_VOID(save());
  if (expired.size() > count_max) expired.resize(count_max);
  return expired;
}

std::vector<LedgerFile> expired_segments(std::vector<SegmentAge> segments, WallTime before) {
  const auto rank = [](const SegmentAge& each) {
    return std::tuple(each.file.owner.generation, each.file.owner.shard, each.ordinal);
  };
  std::sort(segments.begin(), segments.end(),
            [&](const SegmentAge& a, const SegmentAge& b) { return rank(a) < rank(b); });
  std::vector<LedgerFile> expired;
  std::pair<std::uint64_t, std::uint32_t> kept{};  // the stream of which one stays
  bool is_any_kept = false;
  for (const SegmentAge& each : segments) {
    const std::pair stream(each.file.owner.generation, each.file.owner.shard);
    const bool is_old = each.written.unix_ns < before.unix_ns;
    if (each.state == SegmentState::kNeverUsed) {
      if (is_old) expired.push_back(each.file);
      continue;
    }
    if (is_any_kept && kept == stream) continue;
    if (each.state == SegmentState::kRead && is_old) {
      expired.push_back(each.file);
    } else if (each.state != SegmentState::kUnused) {
      is_any_kept = true;
      kept = stream;
    }
  }
  return expired;
}

Result<RebuildReport> rebuild_projection(const std::string& folder, WallTime now) {
  RebuildReport report;
  LEAT_TRY(const auto anew,
           LedgerView::open(folder, AccountNames(), LedgerView::Source::kSegments));
  LEAT_TRY_VOID(anew->poll(now));
  LEAT_TRY(const auto known, LedgerView::open(folder));
  report.had_projection = known->is_resumed();
  if (report.had_projection) {
    LEAT_TRY_VOID(known->poll(now));
    report.is_same = known->book().encode() == anew->book().encode() &&
                     known->days().encode() == anew->days().encode();
  }
  report.records = anew->book().records();
  report.charged = anew->book().charged();
  report.unreadable = anew->book().unreadable();
  report.missing = anew->tail().missing();
  LEAT_TRY_VOID(anew->save());
  return report;
}

}  // namespace leat::control
