// Both forms of the same document, and what is refused.
#include "libs/eureka/node.h"

#include <gtest/gtest.h>

#include "libs/eureka/instance.h"

namespace micropay::eureka {
namespace {

constexpr const char* kJson =
    R"({"instance":{"instanceId":"h:pay:1","hostName":"h","app":"pay","ipAddr":"10.0.0.1",)"
    R"("vipAddress":"pay",)"
    R"("status":"UP","overriddenStatus":"UNKNOWN","port":{"$":8083,"@enabled":"true"},)"
    R"("securePort":{"$":443,"@enabled":"false"},"dataCenterInfo":{"@class":"c","name":"MyOwn"},)"
    R"("leaseInfo":{"renewalIntervalInSecs":5,"durationInSecs":15},"metadata":{"a_b":"1","zone":"eu"},)"
    R"("lastDirtyTimestamp":"1700000000123"}})";
constexpr const char* kXml =
    "<?xml version=\"1.0\"?>\n<!-- x "
    "--><instance><instanceId>h:pay:1</instanceId><hostName>h</hostName><app>pay</app>"
    "<ipAddr>10.0.0.1</ipAddr><vipAddress>pay</vipAddress><status>UP</status>\n"
    "<overriddenstatus>UNKNOWN</overriddenstatus><port enabled='true'>8083</port>"
    "<securePort enabled=\"false\">443</securePort><dataCenterInfo "
    "class=\"c\"><name>MyOwn</name></dataCenterInfo>"
    "<leaseInfo><renewalIntervalInSecs>5</renewalIntervalInSecs><durationInSecs>15</durationInSecs></"
    "leaseInfo>"
    "<metadata><a__b>1</a__b><zone>eu</zone></metadata><lastDirtyTimestamp>1700000000123</lastDirtyTimestamp>"
    "</instance>";

std::string written(const Instance& instance, bool json) {
  Node root{.kind = Node::Kind::kObject};
  write_instance(instance, root.object("instance"));
  return json ? write_json(root) : write_xml(root);
}

TEST(InstanceForm, XmlAndJsonSayTheSame) {
  const auto from_json = instance_from(*read_json(kJson)->child("instance"));
  const auto from_xml = instance_from(*read_xml(kXml)->child("instance"));
  ASSERT_TRUE(from_json && from_xml);
  EXPECT_EQ(written(*from_json, true), written(*from_xml, true));
  EXPECT_EQ(written(*from_json, false), written(*from_xml, false));
  EXPECT_EQ(from_json->app, "PAY");
  EXPECT_EQ(from_json->port.number, 8083);
  EXPECT_TRUE(from_json->port.enabled);
  EXPECT_FALSE(from_json->secure_port.enabled);
  EXPECT_EQ(from_json->metadata.at("a_b"), "1");
  EXPECT_EQ(from_json->lease.renewal_s, 5);
  EXPECT_EQ(from_json->dirty_ms, 1'700'000'000'123);
  // And each form is read as it was written.
  for (const bool json : {true, false}) {
    const std::string text = written(*from_json, json);
    const auto again = instance_from(*(json ? read_json(text) : read_xml(text))->child("instance"));
    ASSERT_TRUE(again) << text;
    EXPECT_EQ(written(*again, true), written(*from_json, true));
  }
}

TEST(InstanceForm, EurekasOddities) {
  const std::string json = written({.id = "i", .app = "A", .host = "h", .ip = "1", .port = {80, true}}, true);
  for (const char* part :
       {R"("port":{"@enabled":"true","$":80})", R"("metadata":{"@class":"java.util.Collections$EmptyMap"})",
        R"("lastUpdatedTimestamp":"0")", R"("countryId":1,)",
        R"({"@class":"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo","name":"MyOwn"})"})
    EXPECT_NE(json.find(part), json.npos) << part << "\n" << json;
}

TEST(InstanceForm, WhatIsMissingOrWrong) {
  const auto reason_field = [](std::string json) {
    const auto root = read_json(json);
    if (!root) return root.error().reason;
    const auto read = instance_from(*root->child("instance"));
    return read ? "fine" : read.error().field;
  };
  const auto with = [](std::string_view from, std::string_view to) {
    std::string text = kJson;
    text.replace(text.find(from), from.size(), to);
    return text;
  };
  EXPECT_EQ(reason_field(kJson), "fine");
  EXPECT_EQ(reason_field(with(R"("hostName":"h",)", "")), "hostName");
  EXPECT_EQ(reason_field(with(R"("ipAddr":"10.0.0.1",)", "")), "ipAddr");
  EXPECT_EQ(reason_field(with(R"("app":"pay",)", "")), "app");
  EXPECT_EQ(reason_field(with(R"("instanceId":"h:pay:1",)", "")), "fine");  // then it is the host's name
  EXPECT_EQ(reason_field(with("h:pay:1", "a b")), "instanceId");
  EXPECT_EQ(reason_field(with("h:pay:1", std::string(256, 'x'))), "instanceId");
  EXPECT_EQ(reason_field(with("8083", "99999")), "port");
  EXPECT_EQ(reason_field(with("8083", "\"x\"")), "port");
  EXPECT_EQ(reason_field(with(R"({"@class":"c","name":"MyOwn"})", "null")), "dataCenterInfo");
  EXPECT_EQ(reason_field(with(R"("durationInSecs":15)", R"("durationInSecs":999999999)")), "durationInSecs");
  EXPECT_EQ(reason_field(with("\"eu\"", "\"" + std::string(1'025, 'x') + "\"")), "metadata");
  EXPECT_EQ(reason_field(with("\"UP\"", "\"SIDEWAYS\"")), "fine");
}

TEST(Xml, WhatIsRefused) {
  const char* bad[] = {"",
                       "x",
                       "<a>",
                       "<a></b>",
                       "<a/><b/>",
                       "<a b=c/>",
                       "<a b='1' b='2'/>",
                       "<a>&x;</a>",
                       "<a>&#0;</a>",
                       "<a>&#xD800;</a>",
                       "<a>&#99999999;</a>",
                       "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
                       "<?php x?><a/>",
                       "<a>text<b/></a>",
                       "<a b='<'/>",
                       "<1a/>",
                       "<a><![CDATA[x</a>",
                       "<a>\x01</a>",
                       "<a>\xff</a>",
                       "<a><!-- </a>"};
  for (const char* text : bad) EXPECT_EQ(read_xml(text).error().reason, "malformed_body") << text;
  std::string deep, wide = "<a>";
  for (int i = 0; i < 100; ++i) deep += "<a>";
  EXPECT_FALSE(read_xml(deep));
  for (size_t i = 0; i <= kMaxNodes; ++i) wide += "<b/>";
  EXPECT_FALSE(read_xml(wide + "</a>"));
}

TEST(Xml, WhatIsUnderstood) {
  const auto text = [](std::string_view xml) { return read_xml(xml)->children.at(0).text; };
  EXPECT_EQ(text("<a>&lt;&amp;&#65;&#x42;&quot;</a>"), "<&AB\"");
  EXPECT_EQ(text("\xEF\xBB\xBF<a><![CDATA[<x>&]]></a> "), "<x>&");
  EXPECT_EQ(text("<a>x<!-- y -->z</a>"), "xz");
  EXPECT_EQ(read_xml("<a b = '&lt;' />")->children.at(0).attribute("b"), "<");
  Node root{.kind = Node::Kind::kObject};
  Node& metadata = root.object("metadata");
  metadata.add("a_b$c d", "<\x02>");
  metadata.add("1x", "");
  EXPECT_EQ(write_xml(root),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><metadata><a__b_-c.d>&lt; "
            "&gt;</a__b_-c.d><__1x/></metadata>");
}

TEST(Json, WhatIsRefused) {
  for (const char* text : {"", "[]", "1", "{", "{\"a\":{\"@x\":{}}}", "{\"a\":\xff}"})
    EXPECT_EQ(read_json(text).error().reason, "malformed_body") << text;
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "{\"a\":";
  EXPECT_FALSE(read_json(deep + "1" + std::string(100, '}')));
}

}  // namespace
}  // namespace micropay::eureka
