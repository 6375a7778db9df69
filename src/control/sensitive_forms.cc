// SPDX-License-Identifier: Apache-2.0
#include "control/sensitive_forms.h"

#include <algorithm>
#include <array>

namespace leat::control {
namespace {

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
constexpr bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
constexpr bool is_letter(char c) {
  return is_upper(c) || (c >= 'a' && c <= 'z');
}
constexpr bool is_alnum(char c) {
  return is_letter(c) || is_digit(c);
}
constexpr bool is_beyond_ascii(char c) {
  return (c & 0x80) != 0;
}

bool is_one_of(char c, std::string_view set) {
  return set.find(c) != std::string_view::npos;
}

// A character at `at`, or one that is none.
char at_or_none(std::string_view text, std::size_t at) {
  return at < text.size() ? text[at] : '\0';
}

// The letter of an escape that nobody undid, as in "\n4111": it is no part of the word behind it.
bool is_escape_letter(std::string_view text, std::size_t at) {
  return at > 0 && text[at - 1] == '\\' && is_one_of(text[at], "nrtbf");
}

bool begins_word(std::string_view text, std::size_t at) {
  if (at == 0) return true;
  const char before = text[at - 1];
  return (!is_alnum(before) && before != '_') || is_escape_letter(text, at - 1);
}

bool ends_word(std::string_view text, std::size_t end) {
  const char after = at_or_none(text, end);
  return !is_alnum(after) && after != '_';
}

bool starts_with_any_case(std::string_view text, std::string_view lower) {
  if (text.size() < lower.size()) return false;
  return std::equal(lower.begin(), lower.end(), text.begin(),
                    [](char a, char b) { return a == (is_upper(b) ? b + 32 : b); });
}

template <class Is>
std::size_t run_of(std::string_view text, std::size_t at, Is is) {
  std::size_t end = at;
  while (end < text.size() && is(text[end])) ++end;
  return end - at;
}

// ---- Addresses ---------------------------------------------------------------------------------

constexpr bool is_of_local(char c) {
  return is_alnum(c) || is_beyond_ascii(c) || c == '.' || c == '_' || c == '+' || c == '-' ||
         c == '\'' || c == '%';
}

// Behind the at sign: labels with dots between them, the last one of letters. 0: it is none.
std::size_t domain_size(std::string_view text) {
  constexpr std::size_t kDomainMax = 255;
  const auto is_of_domain = [](char c) {
    return is_alnum(c) || is_beyond_ascii(c) || c == '-' || c == '.';
  };
  std::size_t size = std::min(run_of(text, 0, is_of_domain), kDomainMax);
  while (size > 0 && is_one_of(text[size - 1], ".-")) --size;
  const std::string_view domain = text.substr(0, size);
  const std::size_t dot = domain.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return 0;
  const std::string_view last = domain.substr(dot + 1);
  const bool is_plain = last.size() >= 2 && std::ranges::all_of(last, [](char c) {
                          return is_letter(c) || is_beyond_ascii(c);
                        });
  return is_plain ? size : 0;
}

void find_emails(std::string_view text, std::vector<SensitivePlace>& places) {
  constexpr std::size_t kLocalMax = 64;
  for (std::size_t at = text.find_first_of("@%"); at != std::string_view::npos;
       at = text.find_first_of("@%", at + 1)) {
    const bool is_encoded = text[at] == '%';
    if (is_encoded && text.substr(at, 3) != "%40") continue;
    const std::size_t behind = at + (is_encoded ? 3 : 1);
    const std::size_t size = domain_size(text.substr(behind, 256));
    if (size == 0) continue;
    std::size_t begin = at;
    while (begin > 0 && at - begin < kLocalMax && is_of_local(text[begin - 1])) --begin;
    if (begin < at && is_escape_letter(text, begin)) ++begin;
    while (begin < at && is_one_of(text[begin], "'.-%")) ++begin;
    if (begin < at) places.push_back({begin, behind + size, RedactKind::kEmail});
  }
}

// ---- Cards -------------------------------------------------------------------------------------

constexpr std::size_t kCardDigitsMin = 13;
constexpr std::size_t kCardDigitsMax = 19;

// Digits without what stands between them.
struct Digits {
  std::array<char, kCardDigitsMax> all;
  std::size_t size = 0;

  int front(std::size_t count) const {
    int number = 0;
    for (std::size_t i = 0; i < count; ++i) number = number * 10 + (all[i] - '0');
    return number;
  }
};

bool has_check_digit(const Digits& digits) {
  int sum = 0;
  for (std::size_t i = 0; i < digits.size; ++i) {
    int digit = digits.all[digits.size - 1 - i] - '0';
    if (i % 2 == 1) digit = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
    sum += digit;
  }
  return sum % 10 == 0;
}

// Whether an issuer gives out numbers that begin so and are so long.
bool is_issued(const Digits& digits) {
  const int two = digits.front(2);
  const int four = digits.front(4);
  const std::size_t size = digits.size;
  if (digits.all[0] == '4') return size == 13 || size == 16 || size == 19;
  if ((two >= 51 && two <= 55) || (four >= 2221 && four <= 2720)) return size == 16;
  if (two == 34 || two == 37) return size == 15;
  if (two == 36 || two == 38 || two == 39 || (four / 10 >= 300 && four / 10 <= 305)) {
    return size == 14 || size == 16;
  }
  if (two == 35) return size >= 16;
  // Discover, UnionPay, Maestro.
  return (two == 50 || (two >= 56 && two <= 69)) && size >= (two == 65 || two == 62 ? 16 : 13);
}

// What people put between the groups of a number: its size, or 0.
std::size_t group_gap(std::string_view text) {
  for (const std::string_view gap :
       {" ", "-", "\xc2\xa0", "\xe2\x80\x91", "\xe2\x80\x93", "\xe2\x80\xaf"}) {
    if (text.starts_with(gap)) return gap.size();
  }
  return 0;
}

// The end of the longest number of a card whose first group begins at `at`; 0: there is none.
std::size_t card_end(std::string_view text, std::size_t at) {
  constexpr std::size_t kGroupMin = 4;
  constexpr std::size_t kGroupMax = 8;  // of several
  std::size_t found = 0;
  Digits digits;
  for (std::size_t group = 0;; ++group) {
    const std::size_t size = run_of(text, at, is_digit);
    if (size == 0 || digits.size + size > kCardDigitsMax || (group > 0 && size > kGroupMax)) break;
    text.copy(digits.all.data() + digits.size, size, at);
    digits.size += size;
    at += size;
    const bool is_fraction = text.substr(at, 1) == "." && is_digit(at_or_none(text, at + 1));
    if (digits.size >= kCardDigitsMin && ends_word(text, at) && !is_fraction && is_issued(digits) &&
        has_check_digit(digits)) {
      found = at;
    }
    const std::size_t gap = group_gap(text.substr(at));
    if (size < kGroupMin || size > kGroupMax || gap == 0) break;
    at += gap;
  }
  return found;
}

void find_cards(std::string_view text, std::vector<SensitivePlace>& places) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!is_digit(text[at])) continue;
    const std::size_t size = run_of(text, at, is_digit);
    const bool is_fraction = at >= 2 && text[at - 1] == '.' && is_digit(text[at - 2]);
    const std::size_t end = begins_word(text, at) && !is_fraction ? card_end(text, at) : 0;
    if (end != 0) places.push_back({at, end, RedactKind::kCard});
    at = std::max(end, at + size) - 1;
  }
}

// ---- Keys --------------------------------------------------------------------------------------

// No key is longer, and hostile text is looked at no further from each of its words.
constexpr std::size_t kKeyBytesMax = 4'096;

struct KeyPrefix {
  std::string_view text;
  std::size_t rest_min;
  bool has_digit = false;  // the rest does; else names in programs look the same
};
constexpr KeyPrefix kKeyPrefixes[] = {
    {"sk-", 16},          {"sk_live_", 10},   {"sk_test_", 10},   {"rk_live_", 10},
    {"rk_test_", 10},     {"whsec_", 16},     {"ghp_", 20, true}, {"gho_", 20, true},
    {"ghu_", 20, true},   {"ghs_", 20, true}, {"ghr_", 20, true}, {"github_pat_", 20, true},
    {"glpat-", 16},       {"xoxb-", 10},      {"xoxa-", 10},      {"xoxp-", 10},
    {"xoxr-", 10},        {"xoxs-", 10},      {"xapp-", 10},      {"AIza", 30, true},
    {"hf_", 20, true},    {"gsk_", 20, true}, {"xai-", 20, true}, {"pplx-", 20, true},
    {"nvapi-", 20, true}, {"r8_", 20, true},  {"npm_", 30, true}, {"AGE-SECRET-KEY-1", 20},
};

constexpr bool is_of_key(char c) {
  return is_alnum(c) || c == '_' || c == '-';
}
// What a credential in a header is made of (RFC 6750, token68).
constexpr bool is_of_token(char c) {
  return is_of_key(c) || c == '.' || c == '~' || c == '+' || c == '/' || c == '=';
}

std::size_t prefixed_key_size(std::string_view text) {
  for (const KeyPrefix& prefix : kKeyPrefixes) {
    if (!text.starts_with(prefix.text)) continue;
    const std::size_t rest = run_of(text, prefix.text.size(), is_of_key);
    const std::string_view word = text.substr(prefix.text.size(), rest);
    const bool is_key =
        rest >= prefix.rest_min && (!prefix.has_digit || std::ranges::any_of(word, is_digit));
    if (is_key) return prefix.text.size() + rest;
  }
  if (text.starts_with("AKIA") || text.starts_with("ASIA")) {  // AWS
    const auto is_of_id = [](char c) { return is_upper(c) || is_digit(c); };
    return run_of(text, 0, is_of_id) == 20 ? 20 : 0;
  }
  if (!text.starts_with("eyJ")) return 0;  // a signed token (RFC 7519): `{"` in base64
  std::size_t size = run_of(text, 0, [](char c) { return is_of_key(c) || c == '.'; });
  while (text[size - 1] == '.') --size;  // the sentence's
  const auto dots = std::ranges::count(text.substr(0, size), '.');
  return size >= 40 && dots >= 2 ? size : 0;
}

// The credential behind "bearer", or behind the header's name; none: `end` is 0.
SensitivePlace header_credential(std::string_view text, std::size_t at) {
  constexpr std::size_t kTokenMin = 16;
  constexpr std::string_view kBetween = "\"': =\\";
  constexpr std::string_view kHeader = "authorization";
  constexpr std::string_view kScheme = "bearer";
  const std::string_view rest = text.substr(at);
  const bool is_header = starts_with_any_case(rest, kHeader);
  if (!is_header && !starts_with_any_case(rest, kScheme)) return {};
  std::size_t begin = at + (is_header ? kHeader : kScheme).size();
  const auto skip_gap = [&] {
    begin += run_of(text, begin, [&](char c) { return is_one_of(c, kBetween); });
  };
  const std::size_t name_end = begin;
  skip_gap();
  const std::string_view gap = text.substr(name_end, begin - name_end);
  if (gap.empty()) return {};
  if (is_header) {
    if (gap.find_first_of(":=") == std::string_view::npos) return {};
    // A scheme of any name, then a credential.
    const std::size_t scheme = run_of(text, begin, is_letter);
    if (at_or_none(text, begin + scheme) == ' ') {
      begin += scheme;
      skip_gap();
    }
  }
  std::size_t size = run_of(text, begin, is_of_token);
  while (size > 0 && text[begin + size - 1] == '.') --size;
  if (size < (is_header ? kTokenMin / 2 : kTokenMin)) return {};
  return {begin, begin + size, RedactKind::kApiKey};
}

void find_private_keys(std::string_view text, std::vector<SensitivePlace>& places) {
  constexpr std::string_view kBegin = "-----BEGIN ";
  constexpr std::string_view kLabel = "PRIVATE KEY-----";
  constexpr std::size_t kLabelMax = 40;
  for (std::size_t at = text.find(kBegin); at != std::string_view::npos;
       at = text.find(kBegin, at + 1)) {
    const std::size_t label = text.substr(at, kBegin.size() + kLabelMax).find(kLabel);
    if (label == std::string_view::npos) continue;
    // Cut off, it is one all the same.
    const std::size_t end = text.find(kLabel, at + label + kLabel.size());
    places.push_back({at, end == std::string_view::npos ? text.size() : end + kLabel.size(),
                      RedactKind::kApiKey});
  }
}

void find_keys(std::string_view text, std::vector<SensitivePlace>& places) {
  find_private_keys(text, places);
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!is_letter(text[at]) || !begins_word(text, at)) continue;
    const std::size_t size = prefixed_key_size(text.substr(at, kKeyBytesMax));
    if (size != 0) {
      places.push_back({at, at + size, RedactKind::kApiKey});
      at += size - 1;
      continue;
    }
    const SensitivePlace credential = header_credential(text, at);
    if (credential.end == 0) continue;
    places.push_back(credential);
    at = credential.end - 1;
  }
}

// ---- Telephone numbers -------------------------------------------------------------------------

// "+49 30 1234567": 0 if it is none.
std::size_t international_end(std::string_view text, std::size_t at) {
  constexpr std::size_t kDigitsMin = 8;
  constexpr std::size_t kDigitsMax = 15;  // E.164
  constexpr std::size_t kGapMax = 2;
  std::size_t digits = 0;
  std::size_t end = at + 1;
  if (!is_digit(at_or_none(text, end)) || text[end] == '0') return 0;
  for (std::size_t next = end; next < text.size() && digits <= kDigitsMax;) {
    if (is_digit(text[next])) {
      ++digits;
      end = ++next;
    } else if (is_one_of(text[next], " -.()/") && next - end < kGapMax) {
      ++next;
    } else {
      break;
    }
  }
  return digits >= kDigitsMin && digits <= kDigitsMax && ends_word(text, end) ? end : 0;
}

// "(212) 555-0123", "212-555-0123", "212.555.0123": 0 if it is none.
std::size_t american_end(std::string_view text, std::size_t at) {
  const auto group = [&](std::size_t count, bool is_code) {
    if (run_of(text, at, is_digit) != count) return false;
    if (is_code && text[at] < '2') return false;
    at += count;
    return true;
  };
  const bool has_braces = text[at] == '(';
  if (has_braces) ++at;
  if (!group(3, true)) return 0;
  char gap = at_or_none(text, at);
  if (has_braces) {
    if (gap != ')') return 0;
    ++at;
    if (at_or_none(text, at) == ' ') ++at;
  } else {
    if (gap != '-' && gap != '.') return 0;
    ++at;
  }
  if (!group(3, true)) return 0;
  const char second = at_or_none(text, at);
  if (has_braces ? !is_one_of(second, "-. ") : second != gap) return 0;
  ++at;
  if (!group(4, false) || !ends_word(text, at)) return 0;
  return is_one_of(at_or_none(text, at), "-.") && is_digit(at_or_none(text, at + 1)) ? 0 : at;
}

void find_phones(std::string_view text, std::vector<SensitivePlace>& places) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c != '+' && c != '(' && !is_digit(c)) continue;
    if (!begins_word(text, at)) continue;
    if (is_digit(c) && at > 0 && is_one_of(text[at - 1], ".-/")) continue;
    const std::size_t end = c == '+' ? international_end(text, at) : american_end(text, at);
    if (end == 0) continue;
    places.push_back({at, end, RedactKind::kPhone});
    at = end - 1;
  }
}

// ---- Accounts ----------------------------------------------------------------------------------

// The remainder by 97 of the number that ISO 13616 makes of it is 1.
bool has_checksum(std::string_view account) {
  int rest = 0;
  for (std::size_t i = 0; i < account.size(); ++i) {
    const char c = account[(i + 4) % account.size()];
    rest = is_digit(c) ? (rest * 10 + (c - '0')) % 97 : (rest * 100 + (c - 'A' + 10)) % 97;
  }
  return rest == 1;
}

// In one word, or in groups of four: the end of the longest; 0: there is none.
std::size_t iban_end(std::string_view text, std::size_t at) {
  constexpr std::size_t kMin = 15;
  constexpr std::size_t kMax = 34;
  std::array<char, kMax> account;
  std::size_t size = 0;
  std::size_t found = 0;
  const auto is_of_iban = [](char c) { return is_upper(c) || is_digit(c); };
  while (true) {
    const std::size_t run = run_of(text, at, is_of_iban);
    if (run == 0 || size + run > kMax) break;
    text.copy(account.data() + size, run, at);
    size += run;
    at += run;
    if (size >= kMin && ends_word(text, at) && has_checksum({account.data(), size})) found = at;
    if (run != 4 || at_or_none(text, at) != ' ') break;
    ++at;
  }
  return found;
}

void find_ibans(std::string_view text, std::vector<SensitivePlace>& places) {
  for (std::size_t at = 0; at + 4 < text.size(); ++at) {
    const bool is_like_one = is_upper(text[at]) && is_upper(text[at + 1]) &&
                             is_digit(text[at + 2]) && is_digit(text[at + 3]);
    if (!is_like_one || !begins_word(text, at)) continue;
    const std::size_t end = iban_end(text, at);
    if (end == 0) continue;
    places.push_back({at, end, RedactKind::kIban});
    at = end - 1;
  }
}

}  // namespace

std::vector<SensitivePlace> find_sensitive(std::string_view text, std::uint32_t kinds) {
  using Find = void (*)(std::string_view, std::vector<SensitivePlace>&);
  constexpr std::array<Find, kRedactKinds> kFinders = {find_emails, find_cards, find_keys,
                                                       find_phones, find_ibans};
  std::vector<SensitivePlace> places;
  for (std::size_t i = 0; i < kRedactKinds; ++i) {
    if ((kinds >> i & 1) != 0) kFinders[i](text, places);
  }
  std::ranges::sort(places, [](const SensitivePlace& a, const SensitivePlace& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end > b.end;
  });
  return places;
}

}  // namespace leat::control
