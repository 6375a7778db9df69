// SPDX-License-Identifier: Apache-2.0
// Goal: what would hurt a person is not in a line of the content log, however JSON spells it, and
// what is no such thing - ordinary numbers above all - stands as it was. Method: texts with one or
// the other; JSON with escapes, escapes of escapes and what is none.
#include "control/redaction.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <string>

namespace leat::control {
namespace {

constexpr std::uint32_t kAll = (1U << kRedactKinds) - 1;

std::string redacted(std::string_view text, std::uint32_t kinds = kAll) {
  std::string out;
  append_redacted(text, kinds, out);
  return out;
}

std::string redacted_json(std::string_view json, std::uint32_t kinds = kAll) {
  std::string out;
  append_redacted_json(json, kinds, out);
  return out;
}

TEST(Redaction, ReplacesAddresses) {
  EXPECT_EQ(redacted("write to ann.o'hara+x@mail.example.co.uk, please"),
            "write to [redacted:email], please");
  EXPECT_EQ(redacted("<bob@example.com>."), "<[redacted:email]>.");
  EXPECT_EQ(redacted("mailto:b%40c?to=bob%40example.com"), "mailto:b%40c?to=[redacted:email]");
  EXPECT_EQ(redacted("jörg@müller.example"), "[redacted:email]");
  EXPECT_EQ(redacted(R"(\nbob@example.com\n)"), R"(\n[redacted:email]\n)");
}

TEST(Redaction, LeavesWhatIsNoAddress) {
  for (const char* text : {"@app.route", "user@localhost", "a @ b.c", "pkg@1.2.3", "@@", "x@",
                           "@x.com", "100% 40 a%40", "foo@bar.", "@types/node@18.0"}) {
    EXPECT_EQ(redacted(text), text);
  }
}

TEST(Redaction, ReplacesCards) {
  for (const char* card :
       {"4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111", "378282246310005",
        "3782 822463 10005", "5555555555554444", "2223003122003222", "6011111111111117",
        "3530111333300000", "30569309025904",
        "4111\xc2\xa0"
        "1111\xc2\xa0"
        "1111\xc2\xa0"
        "1111"}) {
    EXPECT_EQ(redacted(card), "[redacted:card]") << card;
    EXPECT_EQ(redacted("no. " + std::string(card) + ", 12/27"), "no. [redacted:card], 12/27");
  }
  EXPECT_EQ(redacted("4111 1111 1111 1111 5555 5555 5555 4444"), "[redacted:card] [redacted:card]");
  EXPECT_EQ(redacted("on 2024 4111 1111 1111 1111 12/27"), "on 2024 [redacted:card] 12/27");
  EXPECT_EQ(redacted(R"(\n4111111111111111\t)"), R"(\n[redacted:card]\t)");
  EXPECT_EQ(redacted("a,4111111111111111,b"), "a,[redacted:card],b");
}

TEST(Redaction, LeavesOrdinaryNumbers) {
  for (const char* text : {"1700000000000",
                           "1700000000000000000",
                           "4111111111111112",
                           "-0.4111111111111111",
                           "3.4111111111111111",
                           "4111111111111111.25",
                           "0x4111111111111111",
                           "a4111111111111111",
                           "4111111111111111f",
                           "550e8400-e29b-41d4-a716-446655440000",
                           "2026-11-22 09:15:48",
                           "5 10 15 20 25 30 35 40",
                           "100 200 300 400 500 600",
                           "9007199254740993",
                           "3.14159265358979",
                           "192.168.100.200",
                           "v1.22.333.4444",
                           "978-3-16-148410-0",
                           "12345678901234567890123456",
                           "411111111111111141111111111111114111",
                           "1 000 000 000 000 000",
                           "20261122-091548-4711-1"}) {
    EXPECT_EQ(redacted(text), text);
  }
}

TEST(Redaction, ReplacesKeys) {
  for (const char* key :
       {"sk-leat-v1-0e6af3c29b1d4e5f60718293a4b5c6d7", "sk-proj-abcdefghijklmnop",
        "sk_live_4eC39HqLyjWDarjtT1zdp7dc", "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "github_pat_11ABCDEFG0abcdefghij_klmnop", "xoxb-123456789012-abcdef",
        "AKIAIOSFODNN7EXAMPLE", "AIzaSyDaGmWKa4JsXZ-HjGw7ISLn_3namBGewQe",
        "hf_abcdefghij1234567890",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"}) {
    EXPECT_EQ(redacted("use " + std::string(key) + "."), "use [redacted:api_key].") << key;
  }
  EXPECT_EQ(redacted("Authorization: Bearer abcdefghijklmnopqrst"),
            "Authorization: Bearer [redacted:api_key]");
  EXPECT_EQ(redacted("-H 'authorization: Basic dXNlcjpwYXNz'"),
            "-H 'authorization: Basic [redacted:api_key]'");
  EXPECT_EQ(redacted(R"("Authorization": "abcdefgh12345678")"),
            R"("Authorization": "[redacted:api_key]")");
  EXPECT_EQ(redacted("a -----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY----- b"),
            "a [redacted:api_key] b");
  EXPECT_EQ(redacted("-----BEGIN PRIVATE KEY-----\nMIIcut"), "[redacted:api_key]");
  EXPECT_EQ(redacted(R"(\nsk-proj-abcdefghijklmnop)"), R"(\n[redacted:api_key])");
}

TEST(Redaction, LeavesWordsThatAreNoKeys) {
  for (const char* text :
       {"risk-averse-behaviour-of-people", "sk-learn", "the bearer of news",
        "hf_hub_download_from_anywhere", "Authorization is required here",
        "gsk_what_is_that_name_good_for", "eyJ", "-----BEGIN CERTIFICATE-----"}) {
    EXPECT_EQ(redacted(text), text);
  }
}

TEST(Redaction, ReplacesTelephoneNumbers) {
  for (const char* phone : {"+49 30 901820", "+1 (212) 555-0123", "+442071838750", "(212) 555-0123",
                            "212-555-0123", "212.555.0123"}) {
    EXPECT_EQ(redacted("call " + std::string(phone) + " now"), "call [redacted:phone] now");
  }
  for (const char* text : {"2+12345678901", "+5 or more", "1.212.555.0123", "212-555-012", "+ 1234",
                           "122-555-0123", "2125550123", "x = +0.12345678"}) {
    EXPECT_EQ(redacted(text), text);
  }
}

TEST(Redaction, ReplacesAccounts) {
  EXPECT_EQ(redacted("to DE89370400440532013000."), "to [redacted:iban].");
  EXPECT_EQ(redacted("GB29 NWBK 6016 1331 9268 19 by"), "[redacted:iban] by");
  for (const char* text : {"DE88370400440532013000", "AB12", "XY12 ABCD EFGH IJKL"}) {
    EXPECT_EQ(redacted(text), text);
  }
}

TEST(Redaction, OfWhatIsAskedForOnly) {
  const std::string text = "bob@example.com 4111111111111111";
  EXPECT_EQ(redacted(text, 0), text);
  EXPECT_EQ(redacted(text, 1), "[redacted:email] 4111111111111111");
  EXPECT_EQ(redacted(text, 2), "bob@example.com [redacted:card]");
}

TEST(Redaction, UndoesTheEscapesOfJson) {
  EXPECT_EQ(redacted_json(R"({"a":"bob\u0040example.com"})"), R"({"a":"[redacted:email]"})");
  EXPECT_EQ(redacted_json(R"({"a":"x\n4111\u00201111\u0020\u0031111 1111\n"})"),
            R"({"a":"x\n[redacted:card]\n"})");
  EXPECT_EQ(redacted_json(R"({"bob@example.com":[true,null,-1.5e3]})"),
            R"({"[redacted:email]":[true,null,-1.5e3]})");
  EXPECT_EQ(redacted_json(R"(["\ud83d\ude00 \ud83d sk\u002dproj-abcdefghijklmnop"])"),
            "[\"\xf0\x9f\x98\x80 \xef\xbf\xbd [redacted:api_key]\"]");
}

TEST(Redaction, LooksIntoJsonWithinAString) {
  const std::string json =
      R"({"arguments":"{\"mail\":\"bob\\u0040example.com\",\"n\":4111111111111111}"})";
  EXPECT_EQ(redacted_json(json),
            R"({"arguments":"{\"mail\":\"[redacted:email]\",\"n\":\"[redacted:card]\"}"})");
  // Broken off, it is a text.
  EXPECT_EQ(redacted_json(R"({"arguments":"{\"mail\":\"bob@example.com\",\"n"})"),
            R"({"arguments":"{\"mail\":\"[redacted:email]\",\"n"})");
}

TEST(Redaction, OfNumbersOnlyWhatIsACard) {
  EXPECT_EQ(redacted_json(R"({"a":4111111111111111,"b":4111111111111112,"c":-0.4111111111111111})"),
            R"({"a":"[redacted:card]","b":4111111111111112,"c":-0.4111111111111111})");
  EXPECT_EQ(redacted_json("[1700000000000,2125550123,1e22]"), "[1700000000000,2125550123,1e22]");
}

TEST(Redaction, WhatItWritesIsJsonIfThatWas) {
  const std::string json =
      "{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\xc3\xa4 a@b.co\",\"b\":[{},[],\"\",{\"c\":0}]}";
  simdjson::dom::parser parser;
  ASSERT_EQ(parser.parse(redacted_json(json)).error(), simdjson::SUCCESS);
  // What is none does no harm.
  for (const char* broken :
       {"\"", "\"\\", "\"\\u12", "{\"a", "[1,", "\xff\xfe", "\"\xff\"", "nul"}) {
    redacted_json(broken);
  }
}

TEST(Redaction, TakesTimeInProportion) {
  for (const char* piece : {"eyJ-", "hf_a-", "4111 ", "a@", "+1 ", "bearer ", "DE12 ", "sk-", "{\"",
                            "-----BEGIN ", "authorization: ", "(212", "%40"}) {
    std::string text;
    while (text.size() < 200'000) text += piece;
    redacted(text);
  }
}

}  // namespace
}  // namespace leat::control
