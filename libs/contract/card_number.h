// Numbers of payment cards in texts: they are refused before anything keeps or shows them (PCI DSS 3.2 begins
// where one is stored).
#pragma once

#include <string>
#include <string_view>

namespace micropay::contract {

// Whether a number of 13 to 19 digits with a right check digit (Luhn) and the beginning and length of a card
// stands in the text: in digits of any script, in one piece or with up to three blanks, dashes, dots, slashes
// or underscores between them, alone or among other digits in such pieces (an expiry date behind it). UUIDs,
// digests in hexadecimal and IBANs are no card numbers, whatever their digits are.
bool holds_card_number(std::string_view text);
// The text for an answer or a log: when it holds one, each of its digits is *.
std::string without_card_numbers(std::string_view text);

}  // namespace micropay::contract
