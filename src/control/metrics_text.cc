// SPDX-License-Identifier: Apache-2.0
#include "control/metrics_text.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

#include "base/check.h"

namespace leat::control {
namespace {

// The format escapes backslash and line end everywhere, the quote in label values only.
void append_escaped(std::string& out, std::string_view text, bool in_label) {
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && in_label) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);  // the shortest text that reads back as the same number
}

std::string_view kind_name(MetricKind kind) {
  switch (kind) {
    case MetricKind::kCounter:
      return "counter";
    case MetricKind::kGauge:
      return "gauge";
    case MetricKind::kHistogram:
      return "histogram";
  }
  return "untyped";
}

}  // namespace

void MetricsText::family(std::string_view name, std::string_view help, MetricKind kind) {
  LEAT_DCHECK(kind != MetricKind::kCounter || name.ends_with("_total"));
  name_ = name;
  text_ += fmt::format("# HELP {} ", name);
  append_escaped(text_, help, false);
  text_ += fmt::format("\n# TYPE {} {}\n", name, kind_name(kind));
}

void MetricsText::sample(Labels labels, std::uint64_t value) {
  line("", labels, "", fmt::format("{}", value));
}

void MetricsText::sample(Labels labels, double value) {
  line("", labels, "", number(value));
}

void MetricsText::histogram(Labels labels, std::span<const Bucket> buckets, double sum,
                            std::uint64_t count) {
  for (const Bucket& bucket : buckets) {
    line("_bucket", labels, number(bucket.upper), fmt::format("{}", bucket.count));
  }
  line("_bucket", labels, "+Inf", fmt::format("{}", count));
  line("_sum", labels, "", number(sum));
  line("_count", labels, "", fmt::format("{}", count));
}

void MetricsText::line(std::string_view suffix, Labels labels, std::string_view upper,
                       std::string_view value) {
  LEAT_DCHECK(!name_.empty());
  text_ += name_;
  text_ += suffix;
  char separator = '{';
  const auto append_label = [&](std::string_view name, std::string_view label_value) {
    text_ += separator;
    separator = ',';
    text_ += name;
    text_ += "=\"";
    append_escaped(text_, label_value, true);
    text_ += '"';
  };
  for (const Label& label : labels) append_label(label.name, label.value);
  if (!upper.empty()) append_label("le", upper);
  if (separator == ',') text_ += '}';
  text_ += ' ';
  text_ += value;
  text_ += '\n';
}

}  // namespace leat::control
