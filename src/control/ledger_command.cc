// SPDX-License-Identifier: Apache-2.0
#include "control/ledger_command.h"

#include <fmt/format.h>

#include <cstdio>
#include <ctime>
#include <unordered_set>
#include <vector>

#include "control/command_line.h"
#include "control/ledger_history.h"
#include "control/record_text.h"
#include "control/segment_folder.h"
#include "ledger/open_table.h"
#include "ledger/replay.h"
#include "tls/digest.h"

namespace leat::control {
namespace {

constexpr std::size_t kPrintBytes = 64 * 1024;  // gathered before they are printed

// Sums and ids of all records.
class Auditor final : public ledger::EntryVisitor {
 public:
  void on_entry(const ledger::SegmentHeader&, const ledger::Entry& entry) override {
    if (entry.kind != ledger::FrameKind::kUsage) return;
    const auto record = ledger::decode(entry.payload);
    if (!record) {
      ++unreadable;
      return;
    }
    ++records;
    cost += record->cost;
    charge += record->charge;
    if (!ids_.emplace(record->generation_id).second) ++doubled;
  }

  std::uint64_t records = 0;
  std::uint64_t unreadable = 0;
  std::uint64_t doubled = 0;
  // Of more records than there will ever be, but a damaged number might be large.
  __extension__ __int128 cost = 0;
  __extension__ __int128 charge = 0;

 private:
  std::unordered_set<std::string> ids_;
};

std::string digest_text(std::span<const char> bytes) {
  std::string text;
  for (const std::uint8_t byte : tls::sha256({bytes.data(), bytes.size()})) {
    text += fmt::format("{:02x}", byte);
  }
  return text;
}

const char* end_name(ledger::SegmentEnd end) {
  switch (end) {
    case ledger::SegmentEnd::kReading:
      break;
    case ledger::SegmentEnd::kSealed:
      return "sealed";
    case ledger::SegmentEnd::kEnded:
      return "ended in order";
    case ledger::SegmentEnd::kOpen:
      return "open";
    case ledger::SegmentEnd::kTorn:
      return "torn";
    case ledger::SegmentEnd::kDamaged:
      return "damaged";
  }
  return "unreadable";
}

std::string describe(const History& history, const ledger::ReplayReport& report) {
  std::string text =
      fmt::format("process {} shard {}: {} entries in {} segments, {}{}\n",
                  history.owner.generation, history.owner.shard, report.entries,
                  report.segments.size(), report.is_intact ? "intact" : "NOT INTACT",
                  report.is_unfinished ? ", cut off or still running" : ", ended in order");
  for (const ledger::SegmentReport& segment : report.segments) {
    const LedgerFile& file = history.files[segment.index];
    text += fmt::format("  {}: {} entries, {}", file.name, segment.entries, end_name(segment.end));
    if (segment.fault != nullptr) {
      text += fmt::format("; FAULT at byte {}: {}", segment.end_offset, segment.fault);
    } else if (segment.remark != nullptr) {
      text += fmt::format("; {}", segment.remark);
    }
    const bool is_final =
        segment.end == ledger::SegmentEnd::kSealed || segment.end == ledger::SegmentEnd::kEnded;
    if (is_final && segment.fault == nullptr) {
      text += "; sha256 " + digest_text(history.mapped[segment.index].bytes());
    }
    text += '\n';
  }
  return text;
}

std::string describe_error(const std::string& folder, const Error& error) {
  return fmt::format("{}: {}\n", folder, error.what);
}

// Prints records as they come; an end of its own when they cannot be printed.
class Exporter final : public ledger::EntryVisitor {
 public:
  Exporter(const LedgerExport& what, const Printer& print) : what_(what), print_(print) {
    if (what_.format == LedgerExport::Format::kCsv) append_csv_header(text_);
  }

  void on_entry(const ledger::SegmentHeader&, const ledger::Entry& entry) override {
    if (entry.kind != ledger::FrameKind::kUsage || !can_print_) return;
    const auto record = ledger::decode(entry.payload);
    if (!record) {
      ++unreadable_;
      return;
    }
    if (!what_.filter.takes(*record)) return;
    if (what_.format == LedgerExport::Format::kCsv) {
      append_csv_line(*record, text_);
    } else {
      append_json_line(*record, text_);
    }
    if (text_.size() >= kPrintBytes) flush();
  }
  bool flush() {
    if (can_print_ && !text_.empty()) can_print_ = print_(text_);
    text_.clear();
    return can_print_;
  }
  bool can_print() const { return can_print_; }
  std::uint64_t unreadable() const { return unreadable_; }

 private:
  const LedgerExport& what_;
  const Printer& print_;
  std::string text_;
  bool can_print_ = true;
  std::uint64_t unreadable_ = 0;
};

}  // namespace

bool RecordFilter::takes(const ledger::UsageRecord& record) const {
  const std::int64_t began = record.began.unix_ns;
  return began >= from.unix_ns && began < until.unix_ns && (key.empty() || key == record.key_id) &&
         (organisation.empty() || organisation == record.organisation_id);
}

std::string account_reference(std::string_view text) {
  const bool is_number = !text.empty() && text.find_first_not_of("0123456789") == text.npos;
  return is_number ? "#" + std::string(text) : std::string(text);
}

int verify_ledger(const std::string& path, const Printer& print) {
  const auto folder = SegmentFolder::open(path);
  if (!folder) {
    print(describe_error(path, folder.error()));
    return kExitNoInput;
  }
  Auditor auditor;
  bool is_intact = true;
  const auto done = for_each_history(*folder, [&](const History& history) {
    const ledger::ReplayReport report = replay_history(history, auditor);
    is_intact = is_intact && report.is_intact;
    return print(describe(history, report));
  });
  if (!done) {
    print(describe_error(path, done.error()));
    return kExitNoInput;
  }
  is_intact = is_intact && auditor.doubled == 0 && auditor.unreadable == 0;
  print(fmt::format("{} records, {} doubled, {} unreadable; cost {} and charge {} nano-dollars\n{}",
                    auditor.records, auditor.doubled, auditor.unreadable, auditor.cost,
                    auditor.charge, is_intact ? "nothing is lost\n" : "SOMETHING IS LOST\n"));
  return is_intact ? 0 : kExitLoss;
}

int export_ledger(const std::string& path, const LedgerExport& what, const Printer& print,
                  const Printer& complain) {
  const auto folder = SegmentFolder::open(path);
  if (!folder) {
    complain(describe_error(path, folder.error()));
    return kExitNoInput;
  }
  Exporter exporter(what, print);
  bool is_intact = true;
  const auto done = for_each_history(*folder, [&](const History& history) {
    is_intact = replay_history(history, exporter).is_intact && is_intact;
    return exporter.can_print();
  });
  if (!done) {
    complain(describe_error(path, done.error()));
    return kExitNoInput;
  }
  is_intact = is_intact && exporter.unreadable() == 0;
  if (!is_intact) complain(path + ": something is lost; see `leat ledger verify`\n");
  return exporter.flush() && is_intact ? 0 : kExitLoss;
}

bool parse_moment(std::string_view text, WallTime& moment) {
  const std::string copy(text);
  std::tm parts{};
  const auto is_all = [&](const char* end) { return end != nullptr && *end == '\0'; };
  if (!is_all(::strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts))) {
    parts = {};
    if (!is_all(::strptime(copy.c_str(), "%Y-%m-%d", &parts))) return false;
  }
  const std::tm asked = parts;
  const std::time_t seconds = ::timegm(&parts);
  // 30 February is no day, though timegm() finds one for it.
  if (parts.tm_mday != asked.tm_mday || parts.tm_mon != asked.tm_mon) return false;
  if (seconds > INT64_MAX / 1'000'000'000 || seconds < INT64_MIN / 1'000'000'000) return false;
  moment = {static_cast<std::int64_t>(seconds) * 1'000'000'000};
  return true;
}

}  // namespace leat::control
