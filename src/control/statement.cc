// SPDX-License-Identifier: Apache-2.0
#include "control/statement.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <tuple>

#include "control/account_text.h"
#include "control/listing_json.h"
#include "control/record_text.h"

namespace leat::control {
namespace {

constexpr std::string_view kNameless = "(none)";

std::string value_text(const UsageColumn& column, const UsageSums& sums) {
  const std::int64_t value = sums.*column.value;
  return column.is_money ? dollars_text(value) : std::to_string(value);
}

std::string html_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        // Bytes that are no text would leave the page to the browser's guess.
        out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
    }
  }
  return out;
}

// What is not UTF-8 is replaced, as in JSON: written and read as such.
std::string as_utf8(std::string_view text) {
  std::string why;
  const auto value = parse_json(R"({"text":)" + json_text(text) + "}", why);
  return value ? value->find("text")->text : std::string();
}

std::string_view shown(std::string_view name) {
  return name.empty() ? kNameless : name;
}

void append_sums_json(const UsageSums& sums, std::string& out) {
  for (const UsageColumn& column : kUsageColumns) {
    fmt::format_to(std::back_inserter(out), R"(,"{}":{})", column.name, value_text(column, sums));
  }
}

void append_breakdown_json(const UsageBreakdown& breakdown, std::string& out) {
  out += '[';
  for (const UsageLine& line : breakdown.lines) {
    if (&line != &breakdown.lines.front()) out += ',';
    fmt::format_to(std::back_inserter(out), R"({{"{}":{})", name_of(breakdown.by),
                   json_text(line.name));
    append_sums_json(line.sums, out);
    out += '}';
  }
  out += ']';
}

std::string total_json(const UsageSums& total) {
  std::string out;
  append_sums_json(total, out);
  out[0] = '{';
  return out + '}';
}

std::string title_of(std::string_view column) {
  std::string title(column);
  std::replace(title.begin(), title.end(), '_', ' ');
  return title;
}

void append_html_row(std::string_view cell, std::string_view name, const UsageSums& sums,
                     std::string& out) {
  fmt::format_to(std::back_inserter(out), "<tr><{0} scope=\"row\">{1}</{0}>", cell,
                 html_text(shown(name)));
  for (const UsageColumn& column : kUsageColumns) {
    fmt::format_to(std::back_inserter(out), "<td>{}</td>", value_text(column, sums));
  }
  out += "</tr>\n";
}

void append_html_table(const UsageBreakdown& breakdown, std::string& out) {
  fmt::format_to(std::back_inserter(out), "<h2>By {}</h2>\n<table>\n<thead><tr><th>{}</th>",
                 name_of(breakdown.by), name_of(breakdown.by));
  for (const UsageColumn& column : kUsageColumns) {
    fmt::format_to(std::back_inserter(out), "<th>{}{}</th>", title_of(column.name),
                   column.is_money ? " ($)" : "");
  }
  out += "</tr></thead>\n<tbody>\n";
  for (const UsageLine& line : breakdown.lines) append_html_row("th", line.name, line.sums, out);
  out += "</tbody>\n<tfoot>";
  append_html_row("th", "total", breakdown.total, out);
  out += "</tfoot>\n</table>\n";
}

constexpr std::string_view kStyle =
    "body{font:14px/1.4 sans-serif;margin:2em;color:#111}"
    "h1{font-size:1.4em}h2{font-size:1.1em;margin-top:2em}"
    "table{border-collapse:collapse;width:100%;font-size:.85em}"
    "th,td{padding:.25em .5em;border-bottom:1px solid #ccc;text-align:right;"
    "font-variant-numeric:tabular-nums}"
    "th:first-child{text-align:left;overflow-wrap:anywhere}thead th{vertical-align:bottom}"
    "tfoot th,tfoot td{font-weight:bold;border-top:2px solid #111}"
    ".warning{border:2px solid #b00;padding:.5em}"
    "@media print{body{margin:0;font-size:10pt}@page{size:landscape}"
    "thead{display:table-header-group}tr{break-inside:avoid}}";

}  // namespace

std::string_view name_of(UsageBy by) {
  switch (by) {
    case UsageBy::kModel:
      return "model";
    case UsageBy::kKey:
      return "key";
    case UsageBy::kProvider:
      return "provider";
    case UsageBy::kDay:
      break;
  }
  return "day";
}

std::string day_text(std::int32_t day) {
  return iso_time(std::int64_t{day} * 86'400).substr(0, 10);
}

UsageBreakdown breakdown_of(const UsageTable& table, UsageBy by) {
  UsageBreakdown breakdown{.by = by, .lines = {}, .total = {}};
  std::map<std::string, UsageSums, std::less<>> sums;
  table.each([&](const UsageTable::Row& row) {
    breakdown.total.add(row.sums);
    if (by == UsageBy::kDay) {
      sums[day_text(row.day)].add(row.sums);
      return;
    }
    const UsageField field = by == UsageBy::kModel ? UsageField::kModel
                             : by == UsageBy::kKey ? UsageField::kKey
                                                   : UsageField::kProvider;
    const std::string_view name = row.field(field);
    auto at = sums.find(name);
    if (at == sums.end()) at = sums.emplace(std::string(name), UsageSums{}).first;
    at->second.add(row.sums);
  });
  for (auto& [name, sum] : sums) breakdown.lines.push_back({name, sum});
  if (by != UsageBy::kDay) {
    std::sort(breakdown.lines.begin(), breakdown.lines.end(),
              [](const UsageLine& a, const UsageLine& b) {
                return std::tie(b.sums.charge, b.sums.cost, b.sums.requests, a.name) <
                       std::tie(a.sums.charge, a.sums.cost, a.sums.requests, b.name);
              });
  }
  return breakdown;
}

std::string statement_json(const Statement& statement) {
  std::string out = fmt::format(
      R"({{"organisation":{},"from":"{}","until":"{}","made":"{}","complete":{},"total":{})",
      json_text(statement.organisation), rfc3339(statement.from), rfc3339(statement.until),
      rfc3339(statement.made), statement.is_whole, total_json(statement.total));
  for (const UsageBreakdown& breakdown : statement.breakdowns) {
    fmt::format_to(std::back_inserter(out), R"(,"by_{}":)", name_of(breakdown.by));
    append_breakdown_json(breakdown, out);
  }
  return out + "}\n";
}

std::string statement_csv(const Statement& statement) {
  std::string out = "by,name";
  for (const UsageColumn& column : kUsageColumns) (out += ',') += column.name;
  out += "\r\n";
  const auto append = [&](std::string_view by, std::string_view name, const UsageSums& sums) {
    (out += by) += ',';
    append_csv_text(as_utf8(name), out);
    for (const UsageColumn& column : kUsageColumns) (out += ',') += value_text(column, sums);
    out += "\r\n";
  };
  for (const UsageBreakdown& breakdown : statement.breakdowns) {
    for (const UsageLine& line : breakdown.lines) {
      append(name_of(breakdown.by), line.name, line.sums);
    }
  }
  append("total", "", statement.total);
  return out;
}

std::string statement_html(const Statement& statement) {
  const std::string organisation = html_text(as_utf8(statement.organisation));
  std::string out = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      // Whatever slipped through could load nothing and run nothing.
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
      "style-src 'unsafe-inline'\">\n"
      "<title>Statement {0} {1}</title>\n<style>{2}</style></head>\n<body>\n"
      "<h1>Statement of usage</h1>\n<p>Organisation: <b>{0}</b><br>\n"
      "From {1} up to, not including, {3} (UTC)<br>\nMade {4}</p>\n",
      organisation, rfc3339(statement.from), kStyle, rfc3339(statement.until),
      rfc3339(statement.made));
  if (!statement.is_whole) {
    out +=
        "<p class=\"warning\">Records of the ledger are lost or cannot be read: this statement is "
        "not complete.</p>\n";
  }
  fmt::format_to(std::back_inserter(out), "<p>Charged in all: <b>${}</b></p>\n",
                 dollars_text(statement.total.charge));
  for (UsageBreakdown breakdown : statement.breakdowns) {
    for (UsageLine& line : breakdown.lines) line.name = as_utf8(line.name);
    append_html_table(breakdown, out);
  }
  return out + "</body></html>\n";
}

std::string breakdown_text(const UsageBreakdown& breakdown) {
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string>& head = rows.emplace_back();
  head.emplace_back(name_of(breakdown.by));
  for (const UsageColumn& column : kUsageColumns) head.emplace_back(title_of(column.name));
  const auto add = [&](std::string name, const UsageSums& sums) {
    std::vector<std::string>& row = rows.emplace_back();
    // A name might otherwise steer the terminal.
    std::replace_if(
        name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
    row.push_back(std::move(name));
    for (const UsageColumn& column : kUsageColumns) row.push_back(value_text(column, sums));
  };
  for (const UsageLine& line : breakdown.lines) {
    add(as_utf8(shown(line.name)), line.sums);
  }
  add("total", breakdown.total);
  std::string out;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      std::size_t width = 0;
      for (const auto& each : rows) width = std::max(width, each[i].size());
      const std::string space(width - row[i].size(), ' ');
      out += i == 0 ? row[i] + space : "  " + space + row[i];
    }
    out += '\n';
  }
  return out;
}

std::string breakdown_json(const UsageBreakdown& breakdown) {
  std::string out =
      fmt::format(R"({{"total":{},"by_{}":)", total_json(breakdown.total), name_of(breakdown.by));
  append_breakdown_json(breakdown, out);
  return out + "}\n";
}

}  // namespace leat::control
