// From our own derivation: what heads every list of stolen passwords that was ever published, in the
// languages of our customers; names, animals, teams, films, months; runs over the columns of a keyboard.
// password_rules.cc makes hundreds of thousands of passwords of them.
#include "libs/security/common_words.h"

#include <algorithm>
#include <vector>

namespace micropay {
namespace {

constexpr std::string_view kWords = R"(
0p9o8i7u 12qwaszx 147258369 159357 1a2b3c4d 1a2b3c4d5e 1q2w3e4r 1q2w3e4r5t 1q2w3e4r5t6y 1qaz 1qaz2wsx
1qaz2wsx3edc 1qazxsw2 1w2q3r4e 2wsx 3edc 4ever 4u2nv 741852963 789456123 963852741 a1b2c3d4 a1b2c3d4e5 abc
abc123 abcabc abcd abcde abcdef abracadabra access adgjmptw admin admin123 adminadmin administrator
agent007 ahmed airforce aisha alberto alejandro alex alexander alexandra ali allah alohomora amanda
america amor amour andrea andres andrew android angel angels anna anthony antonio anything apple april
army arsenal asd asd123 asdf asdfgh asdfghjkl ashley asshole audi august australia autumn awesome azerty
baby babyboy babydoll babygirl bailey banana bandit bank banking barbie barcelona baseball basketball
bassist batman bayern beach bear bears beatles bebe beijing bella berlin bienvenue bigdick birthday
bismillah bitch bitcoin biteme black blade blessed blessing blink blizzard blue bmw bond007 boston boxing
brandon bridge broken broncos brother bulldog bulldogs bulls bunny business buster butterfly c3por2d2
callofduty camaro cameron canada captain carlos castle celtics champion change changeme chargers charlie
cheese chelsea cherie cherry chicago chicken china chloe chocolate christ christian christmas christopher
cobra coffee company computer contrasena cookie cookies cool corazon correcthorsebatterystaple corvette
counterstrike cowboy cowboys cowgirl crazy creative creditcard cricket crypto crystal daddy daisy dallas
daniel daniela darling darthvader david december default delhi demon demouser desert desktop devil diablo
diamond diego disney dmitri doggy dollar dollface dolphin dolphins dontknow doomsday dragon dragonball
dragonfly dragons driver drummer ducky duke eagle eagles easter edc eduardo eight einstein ekaterina elvis
eminem england ethereum everything example expelliarmus facebook faith falcon falcons family father fatima
february fender fernando ferrari fire firefly fireman five flower flowers football forest forever forgot
forgotten fortnite four francisco freedom friday friend friends frodo fuck fuckoff fuckyou funny fussball
futbol gabriela gamer gaming gandalf ganesh garfield gators gecko geheim genius george germany giants
gibson ginger god godisgood gold golden golf golfer goodbye google green greenday guest guitar hack hacker
hackme hallo halloween halo happiness happy harley harrypotter hase haslo hassan heart hearts heat heaven
hell hello hellokitty hero heroes heslo hidden hiroshi hobbit hockey hogwarts hola holiday honda honey
hope horse horses hottie hugs hunter hurricane ibrahim ichliebedich idontknow ijnuhb iloveu iloveyou
iloveyoubaby india inferno insane instagram internet iphone irina ironman isabella island ivan jackson
jaguar james jamesbond007 january jasmine jedi jennifer jessica jesus jesuschrist jetaime john johnny
jordan jose joseph joshua juan jungle justin juventus keyboard killer killme king kingdom kisses kissme
kitkat kitten kitty knicks knight krishna ladybug lakers laptop laughing leagueoflegends legend les
letmein letmein1 letmeinnow letmeinplease liberty liebling lightning linkedin lion lions liverpool lizard
lkjhgfdsa login logmein london lonely love love123 loveless lovely loveme lover lovers loveyou lucifer
lucky lucy luigi madonna madrid maggie manager manchester maniac march maria marie marina marine mario
marshall master mastercard matrix matthew mausi max melissa mercedes merlin metallica michael michelle
mickey mickeymouse micropay microsoft midnight miguel minecraft mnbvcxz mohamed mohammed molly mommy
monday money monitor monkey monkey1 moonlight morning motdepasse mother mountain mouse muhammad mumbai
music mustang mypassword naruto natalia natasha navy ncc1701 network newpass newpassword newton newyork
nicholas nicole nikita nine ninja nintendo nirvana nitro nokia nopass nopassword nothing november ocean
october office okmijn olga oliver om omar one onetwothree opensesame orange oscar outlaw overwatch
p0o9i8u7 p0o9i8u7y6 packers panther panthers paradise paris parola party pass pass123 passcode passpass
passphrase passw passwd password passwort patrick paul payme payment payments paypal peace peaches pepper
peter phoenix pikachu pilot pincode pink pirate pizza platinum playstation plmokn poiuytrewq pokemon pony
porn porsche prince princesa princess printer prinzessin private psycho puppy purple pussy python q1w2e3r4
q1w2e3r4t5 q2w3e4r5 qaz qaz123 qazwsx qazwsxedc qpwoeiruty queen querida qwaszx qwe qwe123 qweasd
qweasdzxc qwerty qwerty123 qwertyuiop qwertz r2d2c3po rabbit racer racing raiders rainbow ranger rangers
ravens realmadrid red redsox remember rememberme rfv ricardo rich richard river robert roberto roblox
rocknroll rockstar rocky root rootroot rosie rugby saibaba sakura samantha sample samsung samurai sandra
sarah satan saturday schatz schatzi scooby scorpion sebastian secret secrets secure security senha
september sergey server service sesame seven sex sexy shadow shadows sheriff shield shit shiva silver
simpsons sister sith six skywalker slayer slipknot smile smiley snoopy snowball snowflake snowman soccer
soldier something sommer sonic sophie speed spider spiderman spring spurs star starcraft stardust
starlight stars startrek starwars steelers stefan steven storm stratocaster summer sunday sunflower sunny
sunshine superman superstar support svetlana sweetheart sweetie sweety sword system tatiana teamo temp
temporary ten tennis tequiero test test123 tester testing testtest tetris tgb thepassword thomas three
thunder thx1138 tiger tigers toby tokyo toor tornado tower toyota trooper trust trustno trustno1
trustnoone turbo turkey turtle twitter two united unknown user useruser vacation valentina vanessa
victoria victory violet viper visa vladimir volleyball w2e3r4t5 wachtwoord wallet warcraft warrior
weihnachten welcome whatever white wildcats william willkommen windows winner winter wizard wolf wolves
worldofwarcraft wrestling wsx wsxedc xbox xyz yamaha yamato yankees yellow yhn yoda yourpassword youtube
zaq zaq12wsx zaq12wsxcde zaq1xsw2 zaqwsx zaqxsw zaqxswcde zelda zxc zxc123 zxcvbn zxcvbnm
)";

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(" \n"), text.size()));
    if (text.empty()) break;
    words.push_back(text.substr(0, text.find_first_of(" \n")));
    text.remove_prefix(words.back().size());
  }
  std::ranges::sort(words);
  return words;
}

}  // namespace

std::span<const std::string_view> common_words() {
  static const std::vector<std::string_view> words = words_of(kWords);
  return words;
}

}  // namespace micropay
