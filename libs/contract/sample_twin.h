// A payment as there are millions: what tests of JSON read and write, and what the bench measures.
#pragma once

#include "contracts/payment.pb.h"

namespace micropay::contract {

inline Payment sample_payment() {
  Payment payment;
  payment.set_id("0190c5b2-7e0c-7000-8000-000000000001");
  for (auto* id :
       {payment.mutable_payer_account_id(), payment.mutable_payee_account_id(),
        payment.mutable_payer_user_id(), payment.mutable_payee_user_id(), payment.mutable_transaction_id()})
    *id = "0190c5b2-7e0c-7000-8000-000000000002";
  payment.mutable_amount()->set_currency("EUR");
  payment.mutable_amount()->set_minor(1234);
  payment.set_description("Lunch with Ada");
  (*payment.mutable_metadata()->mutable_values())["order"] = "A-1";
  payment.set_status(Payment::COMPLETED);
  payment.set_created_at(1'700'000'000'123'456);
  payment.set_updated_at(1'700'000'000'200'000);
  return payment;
}

}  // namespace micropay::contract
