// SPDX-License-Identifier: Apache-2.0
#include "control/content_line.h"

#include <array>

#include "control/record_text.h"
#include "control/redaction.h"
#include "proto/json_scan.h"
#include "proto/json_writer.h"

namespace leat::control {
namespace {

using gateway::ContentRecord;

// The bounds are those of who let it in; here it only has to be whole.
bool is_object(std::string_view json) {
  proto::JsonLimits limits;
  limits.keys_max = limits.tokens_max = UINT32_MAX / 2;
  limits.number_bytes_max = UINT32_MAX / 2;
  proto::JsonScanner scanner(limits);
  return scanner.scan(json, true) == proto::JsonStatus::kDone;
}

class Line {
 public:
  Line(std::uint32_t redact, std::string& out) : redact_(redact), out_(out) { out_ += '{'; }
  void end() {
    if (hits_ > 0) number("redacted", hits_);
    out_ += "}\n";
  }

  void text(std::string_view key, std::string_view value) {
    if (value.empty()) return;
    name(key);
    std::array<char, 2'048> room;  // names and ids; six bytes for each of 256, and more
    proto::JsonWriter writer(room);
    writer.string(value);
    out_ += writer.overflowed() ? "\"\"" : writer.text();
  }
  // Of the client's own choice.
  void foreign_text(std::string_view key, std::string_view value) {
    made_.clear();
    hits_ += append_redacted(value, redact_, made_);
    text(key, made_);
  }
  void number(std::string_view key, std::uint64_t value) {
    name(key);
    out_ += std::to_string(value);
  }
  void flag(std::string_view key, bool value) {
    if (!value) return;
    name(key);
    out_ += "true";
  }
  void part(std::string_view key, const ContentRecord::Part& part) {
    if (part.json.empty()) return;
    made_.clear();
    const std::size_t hits = append_redacted_json(part.json, redact_, made_);
    const std::string prefix(key);
    if (!is_object(made_)) return flag(prefix + "_unreadable", true);
    name(key);
    out_ += made_;
    hits_ += hits;
    flag(prefix + "_truncated", part.is_cut);
  }

 private:
  void name(std::string_view key) {
    if (!is_first_) out_ += ',';
    is_first_ = false;
    out_.append("\"").append(key).append("\":");
  }

  const std::uint32_t redact_;
  std::string& out_;
  std::string made_;
  std::uint64_t hits_ = 0;
  bool is_first_ = true;
};

}  // namespace

void append_content_line(const ContentRecord& record, std::uint32_t redact, std::string& out) {
  Line line(redact, out);
  line.text("time", rfc3339(record.began));
  line.text("id", record.generation_id);
  line.foreign_text("request_id", record.request_id);
  line.text("key", record.key);
  line.text("api", record.api);
  line.foreign_text("model_asked", record.model_asked);
  line.foreign_text("model", record.model_served);
  line.text("provider", record.provider);
  line.number("status", record.status);
  line.text("finish_reason", record.finish_reason);
  line.text("error", record.error_type);
  line.flag("streamed", record.is_streamed);
  line.flag("cancelled", record.is_cancelled);
  line.part("request", record.request);
  line.part("answer", record.answer);
  line.end();
}

}  // namespace leat::control
