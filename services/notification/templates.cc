// Everything that we say to people. A new message is a row here and a handler in service.cc.
#include "services/notification/rules.h"

namespace micropay::notification_rules {
namespace {

constexpr bool kCanBeMuted = true, kAlways = false;

constexpr Template kTemplates[] = {
    {"welcome",
     kAlways,
     {"Welcome to MicroPay", "Hello{greeting}, your wallet is open. Top it up and make your first payment."},
     {"Willkommen bei MicroPay",
      "Hallo{greeting}, dein Konto ist eröffnet. Lade es auf und zahle zum ersten Mal."}},
    // Without a name: whoever registered the address chose it, and it is perhaps not his.
    {"verify_email",
     kAlways,
     {"Your e-mail address at MicroPay",
      "Enter {code} at MicroPay to show that this e-mail address is yours. The code is good for 30 minutes. "
      "Did you not ask for it? Then somebody else gave your address; do nothing and never pass the code on."},
     {"Deine E-Mail-Adresse bei MicroPay",
      "Gib {code} bei MicroPay ein und zeige so, dass diese E-Mail-Adresse deine ist. Der Code gilt 30 "
      "Minuten. "
      "Hast du ihn nicht verlangt? Dann hat jemand anders deine Adresse angegeben; tu nichts und gib den "
      "Code "
      "nie weiter."}},
    {"payment_sent",
     kCanBeMuted,
     {"Payment sent", "You paid {amount} to {name}."},
     {"Zahlung gesendet", "Du hast {amount} an {name} gezahlt."}},
    {"payment_received",
     kCanBeMuted,
     {"Payment received", "You received {amount} from {name}."},
     {"Zahlung erhalten", "Du hast {amount} von {name} erhalten."}},
    {"payment_failed",
     kCanBeMuted,
     {"Payment failed", "Your payment of {amount} did not happen: {reason}. No money has moved."},
     {"Zahlung fehlgeschlagen",
      "Deine Zahlung über {amount} kam nicht zustande: {reason}. Es ist kein Geld geflossen."}},
    {"refund_received",
     kCanBeMuted,
     {"Refund received", "{amount} of a payment to {name} came back to you."},
     {"Erstattung erhalten", "{amount} einer Zahlung an {name} sind zu dir zurückgekommen."}},
    {"refund_sent",
     kCanBeMuted,
     {"Refund sent", "You gave {amount} of a payment back to {name}."},
     {"Erstattung gesendet", "Du hast {name} {amount} einer Zahlung erstattet."}},
    {"payment_came_back",
     kCanBeMuted,
     {"Payment taken back", "Your payment to {name} was taken back: {amount} are in your wallet again."},
     {"Zahlung zurückgenommen",
      "Deine Zahlung an {name} wurde zurückgenommen: {amount} sind wieder auf deinem Konto."}},
    {"payment_taken_back",
     kCanBeMuted,
     {"Payment taken back", "A payment from {name} was taken back: {amount} have left your wallet."},
     {"Zahlung zurückgenommen",
      "Eine Zahlung von {name} wurde zurückgenommen: {amount} sind von deinem Konto abgegangen."}},
    {"refund_came_back",
     kCanBeMuted,
     {"Refund taken back", "Your refund to {name} was taken back: {amount} are in your wallet again."},
     {"Erstattung zurückgenommen",
      "Deine Erstattung an {name} wurde zurückgenommen: {amount} sind wieder auf deinem Konto."}},
    {"refund_taken_back",
     kCanBeMuted,
     {"Refund taken back", "A refund from {name} was taken back: {amount} have left your wallet."},
     {"Erstattung zurückgenommen",
      "Eine Erstattung von {name} wurde zurückgenommen: {amount} sind von deinem Konto abgegangen."}},
    {"top_up_taken_back",
     kCanBeMuted,
     {"Top-up taken back", "A top-up was taken back: {amount} have left your wallet."},
     {"Aufladung zurückgenommen",
      "Eine Aufladung wurde zurückgenommen: {amount} sind von deinem Konto abgegangen."}},
    {"top_up_completed",
     kCanBeMuted,
     {"Top-up completed", "{amount} are in your wallet."},
     {"Aufladung abgeschlossen", "{amount} sind auf deinem Konto."}},
    {"top_up_failed",
     kCanBeMuted,
     {"Top-up failed", "Your top-up did not happen: {reason}."},
     {"Aufladung fehlgeschlagen", "Deine Aufladung kam nicht zustande: {reason}."}},
    {"account_frozen",
     kAlways,
     {"Wallet frozen",
      "One of your wallets was frozen. Pending payments of it have failed. Please contact support."},
     {"Konto gesperrt",
      "Eines deiner Konten wurde gesperrt. Offene Zahlungen sind fehlgeschlagen. Bitte wende dich an den "
      "Support."}},
    {"user_frozen",
     kAlways,
     {"Wallets frozen", "Your wallets were frozen. Pending payments have failed. Please contact support."},
     {"Konten gesperrt",
      "Deine Konten wurden gesperrt. Offene Zahlungen sind fehlgeschlagen. Bitte wende dich an den "
      "Support."}},
    {"password_changed",
     kAlways,
     {"Password changed",
      "Your password was changed and other devices were signed out. API keys that you did not revoke still "
      "work. Was "
      "it not you? Contact support."},
     {"Passwort geändert",
      "Dein Passwort wurde geändert, andere Geräte wurden abgemeldet. API-Schlüssel, die du nicht widerrufen "
      "hast, "
      "gelten weiter. Warst du das nicht? Wende dich an den Support."}},
    {"api_key_created",
     kAlways,
     {"An API key was made",
      "An API key was made for your account. It works until you revoke it. Was it not you? Revoke it, change "
      "your "
      "password, contact support."},
     {"Ein API-Schlüssel wurde erstellt",
      "Für dein Konto wurde ein API-Schlüssel erstellt. Er gilt, bis du ihn widerrufst. Warst du das nicht? "
      "Widerrufe "
      "ihn, ändere dein Passwort, wende dich an den Support."}},
    {"user_suspended",
     kAlways,
     {"Your account is suspended",
      "You were signed out everywhere, and your API keys do not work. Your money is where it was. Please "
      "contact "
      "support."},
     {"Dein Zugang ist gesperrt",
      "Du wurdest überall abgemeldet, deine API-Schlüssel gelten nicht. Dein Geld ist, wo es war. Bitte "
      "wende dich "
      "an den Support."}},
    {"user_reinstated",
     kAlways,
     {"Your account is open again", "You can sign in again, and your API keys work again."},
     {"Dein Zugang ist wieder offen", "Du kannst dich wieder anmelden, deine API-Schlüssel gelten wieder."}},
    {"session_stolen",
     kAlways,
     {"A session was ended",
      "A sign-in of yours was used twice at once, so we ended it. Change your password if it was not you."},
     {"Eine Sitzung wurde beendet",
      "Eine deiner Anmeldungen wurde zweimal zugleich benutzt, darum haben wir sie beendet. "
      "Warst du das nicht, ändere dein Passwort."}},
};

}  // namespace

std::span<const Template> templates() { return kTemplates; }

}  // namespace micropay::notification_rules
