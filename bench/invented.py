"""Invented names of companies in eight scripts, what becomes of a name in practice, and names that only look alike.

There are two halves. They share no syllable of the invented words, no place, hardly an everyday word and no way to
change a name. What is compared was tuned on the first; the second is for judging. Romanisations come from tables
written here, not from the program that is judged. A likeness to a real company would be chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import NamedTuple

TUNING, TEST = 0, 1


class Word(NamedTuple):
    """A word as it is written at home, and in Latin letters in the usual way and in another one."""

    native: str
    usual: str
    other: str


class Name(NamedTuple):
    """A company's name in parts, from which all writings of it are made."""

    script: str
    country: str
    place: Word | None
    stems: tuple[Word, ...]
    common: tuple[Word, ...]
    form: str

    def written(self, way: int = 0) -> str:
        """The whole name: 0 at home, 1 in Latin letters in the usual way, 2 in another."""
        return put_together(self, way)


class Pair(NamedTuple):
    """Two names, whether they are one company's, and how the second came from the first."""

    listed: Name
    asked: str
    asked_country: str
    same: bool
    how: str


# Syllables as native/usual/other; the first line of a script is for tuning, the second for the test.
SYLLABLES = {
    "latin": (
        "nor dal vik fen sol tar bru mel gan ost rin hav lun per sko ald wen tim bor ska",
        "cre bly dun pax zel quo jar oth ump irv eck yor glo sna fip kud lox mab vet hyl",
    ),
    "cyrillic": (
        "ке/ke/ke дро/dro/dro ва/va/wa то/to/to ра/ra/ra ми/mi/mi лес/les/les бор/bor/bor за/za/sa ря/rya/ria ни/ni/ni кол/kol/kol",
        "щу/shchu/schu жи/zhi/ji хо/kho/ho лю/lyu/liu чер/cher/cer сту/stu/stu гай/gay/gai пе/pe/pe дю/dyu/diu яр/yar/iar фе/fe/fe цов/tsov/cov",
    ),
    "han": (
        "兰/lan/lan 岫/xiu/hsiu 泽/ze/tse 宏/hong/hung 川/chuan/ch'uan 瑞/rui/jui 峰/feng/feng 澜/lan/lan 鼎/ding/ting 沐/mu/mu 晟/sheng/sheng 岚/lan/lan 庚/geng/keng 玺/xi/hsi",
        "翎/ling/ling 琛/chen/ch'en 霁/ji/chi 汐/xi/hsi 穗/sui/sui 翰/han/han 铭/ming/ming 垣/yuan/yüan 筑/zhu/chu 骏/jun/chün 祺/qi/ch'i 蔚/wei/wei 朔/shuo/shuo 渊/yuan/yüan",
    ),
    "arabic": (
        "مد/mad/med ار/ar/ar ند/nad/ned صف/saf/saf رم/ram/rem ال/al/el بر/bar/ber شم/sham/chem لم/lam/lem قم/qam/kam",
        "زه/zah/zeh خل/khal/hal يج/yaj/iadj غز/ghaz/gaz ثم/tham/tem فج/faj/fadj طر/tar/tar حس/has/hes عد/ad/ed وس/was/ouas",
    ),
    "hangul": (
        "한/han/han 빛/bit/pit 여/yeo/yŏ 울/ul/ul 가/ga/ka 람/ram/ram 미/mi/mi 소/so/so 나/na/na 루/ru/ru 다/da/ta 온/on/on",
        "푸/pu/p'u 른/reun/rŭn 해/hae/hae 솔/sol/sol 별/byeol/pyŏl 초/cho/ch'o 롱/rong/rong 샘/saem/saem 터/teo/t'ŏ 결/gyeol/kyŏl 도/do/to 담/dam/tam",
    ),
    "kana": (
        "カ/ka/ka モ/mo/mo メ/me/me サ/sa/sa ワ/wa/wa リ/ri/ri ト/to/to ナ/na/na ハ/ha/ha ル/ru/ru ミ/mi/mi ケ/ke/ke",
        "シ/shi/si ツ/tsu/tu フ/fu/hu チ/chi/ti ジ/ji/zi ヤ/ya/ya ヒ/hi/hi ノ/no/no ク/ku/ku ソ/so/so ネ/ne/ne ユ/yu/yu",
    ),
    "devanagari": (
        "शि/shi/si खर/khar/khar दी/di/dee पक/pak/pak मे/me/me घा/gha/gha रो/ro/ro हन/han/han तर/tar/tar का/ka/kaa",
        "चं/chan/chun द्र/dra/dra विज/vij/wij या/ya/yaa सू/su/soo रज/raj/raj नी/ni/nee लम/lam/lum गि/gi/gi वा/va/waa",
    ),
    "greek": (
        "υφ/yf/if αν/an/an τρα/tra/tra κορ/kor/cor μη/mi/me λια/lia/lia σερ/ser/ser πο/po/po ρος/ros/ros νι/ni/ni",
        "χει/chei/hi θαλ/thal/tal ασ/as/as φω/fo/pho ξεν/xen/ksen γαλ/gal/gal ευ/ev/eu βο/vo/bo ψηλ/psil/psel ζευ/zev/zeu",
    ),
}  # fmt: skip
COUNTRIES = {
    "latin": "GB US DE FR ES PL TR SG NL SE",
    "cyrillic": "RU KZ BG BY",
    "han": "CN HK TW SG",
    "arabic": "AE IR EG SA",
    "hangul": "KR",
    "kana": "JP",
    "devanagari": "IN",
    "greek": "GR CY",
}
SHARES = {"latin": 9, "cyrillic": 4, "han": 5, "arabic": 3, "hangul": 2, "kana": 2, "devanagari": 2, "greek": 2}
# Places and everyday words, again native/usual/other with _ for a space, and tuning | test.
PLACES = {
    "latin": "London Leipzig Lyon Ankara Pacific Nordic Golden | Bristol Dresden Toulouse Bursa Atlantic Baltic Silver",
    "cyrillic": "Москва/Moskva/Moskwa Самара/Samara/Samara Урал/Ural/Oural | Казань/Kazan/Kasan Томск/Tomsk/Tomsk Сибирь/Sibir/Sibir",
    "han": "北京/Beijing/Peking 上海/Shanghai/Shanghai 天津/Tianjin/Tientsin | 深圳/Shenzhen/Shenchen 武汉/Wuhan/Wuhan 重庆/Chongqing/Chungking",
    "arabic": "دبي/Dubai/Doubai القاهرة/Al_Qahirah/Cairo | الشارقة/Al_Shariqah/Sharjah طهران/Tehran/Tihran",
    "hangul": "서울/Seoul/Sŏul | 부산/Busan/Pusan",
    "kana": "東京/Tokyo/Tokio | 大阪/Osaka/Ohsaka",
    "devanagari": "मुंबई/Mumbai/Bombay | पुणे/Pune/Poona",
    "greek": "Αθήνα/Athina/Athens | Πάτρα/Patra/Patras",
}
COMMON = {
    "latin": (
        "Technology International Trading Industrial Group Electronics Research Institute Holding Sunrise Delta | "
        "Engineering Systems Development Logistics University Semiconductor Services Digital Precision Horizon Alpha"
    ),
    "cyrillic": (
        "Технологии/Tekhnologii/Technology Группа/Gruppa/Group Торговля/Torgovlya/Trading Электроника/Elektronika/Electronics | "
        "Системы/Sistemy/Systems Развитие/Razvitie/Development Инжиниринг/Inzhiniring/Engineering Сервис/Servis/Service"
    ),
    "han": (
        "科技/Keji/Technology 集团/Jituan/Group 电子/Dianzi/Electronics 贸易/Maoyi/Trading 国际/Guoji/International | "
        "信息/Xinxi/Information 工业/Gongye/Industry 智能/Zhineng/Intelligent 数据/Shuju/Data 半导体/Bandaoti/Semiconductor 系统/Xitong/System"
    ),
    "arabic": (
        "للتكنولوجيا/Liltiknulujia/Technology للتجارة/Liltijara/Trading القابضة/Alqabida/Holding | "
        "للهندسة/Lilhandasa/Engineering للتطوير/Liltatwir/Development الصناعية/Alsinaeia/Industrial"
    ),
    "hangul": "기술/Gisul/Technology 전자/Jeonja/Electronics 그룹/Geurup/Group | 시스템/Siseutem/Systems 정보/Jeongbo/Information 산업/Saneop/Industry",
    "kana": "テクノロジー/Tekunoroji/Technology 電子/Denshi/Electronics 商事/Shoji/Trading | システム/Shisutemu/System 工業/Kogyo/Industry データ/Deta/Data",
    "devanagari": "टेक्नोलॉजी/Teknoloji/Technology ट्रेडिंग/Trading/Trading | सिस्टम्स/Sistams/Systems इंजीनियरिंग/Injiniyaring/Engineering",
    "greek": "τεχνολογία/Technologia/Technology εμπορική/Emporiki/Trading | συστήματα/Systimata/Systems μηχανική/Michaniki/Engineering",
}
# At home, abroad; tuning | test. What a change of form changes to comes from the same half.
FORMS = {
    "latin": "Ltd,GmbH,Inc.,S.A.,LLC,Ltd. | Limited,AG,Corporation,B.V.,Sp. z o.o.,Private Limited Company,SARL,Oy",
    "cyrillic": "ООО,АО | ЗАО,ПАО",
    "han": "有限公司,股份有限公司 | 有限责任公司,集团有限公司",
    "arabic": "ش.م.ح,ذ.م.م | ش.م.م,شركة",
    "hangul": "주식회사 | (주)",
    "kana": "株式会社 | 合同会社",
    "devanagari": "प्राइवेट लिमिटेड | लिमिटेड",
    "greek": "Α.Ε. | ΕΠΕ",
}
FORMS_ABROAD = (
    ("Co., Ltd.", "LLC", "JSC", "Ltd"),
    ("Company Limited", "OOO", "Pte. Ltd.", "Joint Stock Company", "FZE", "K.K."),
)
SHORTER = (
    {"Technology": "Tech", "International": "Intl", "Trading": "Trdg", "Industrial": "Ind.", "Group": "Grp", "Institute": "Inst.", "Electronics": "Elec."},
    {
        "Engineering": "Engr.", "Systems": "Sys", "System": "Sys", "Development": "Dev.", "University": "Univ", "Semiconductor": "Semi", "Services": "Svcs",
        "Information": "Info", "Industry": "Inds", "Logistics": "Logistic",
    },
)  # fmt: skip
BRANCHES = ("Singapore", "Hong Kong", "Asia", "Europe")
LOOK_ALIKE = str.maketrans("aeopcx", "аеорсх")
TRADITIONAL = str.maketrans("兰泽岚霁铭筑骏渊电国贸业数据导体统团", "蘭澤嵐霽銘築駿淵電國貿業數據導體統團")
DIACRITICS = str.maketrans("aoueizsc", "àöüéîžšč")
TOGETHER = {"han", "kana"}


def put_together(name: Name, way: int) -> str:
    """The name in one writing, with its legal form where that is usual."""
    at_home = way == 0 or name.script == "latin"
    words = [*((name.place,) if name.place else ()), *name.stems, *name.common]
    if at_home and name.script in TOGETHER:
        return "".join(word.native for word in words) + name.form
    texts = [word[0 if at_home else way] for word in words]
    first = at_home and name.script in {"cyrillic", "hangul"}
    return " ".join([name.form, *texts] if first else [*texts, name.form])


def invented(random: Random, half: int, script: str | None = None) -> Name:
    """A name that nobody has."""
    script = script or random.choices(list(SHARES), list(SHARES.values()))[0]
    stems = tuple(stem(random, half, script) for _ in range(1 if script in TOGETHER else random.choice((1, 2, 2))))
    place = random.choice(words_of(PLACES[script], half)) if random.random() < 0.35 else None
    common = tuple(random.sample(words_of(COMMON[script], half), random.choice((1, 1, 2))))
    form = random.choice(FORMS[script].split(" | ")[half].split(","))
    return Name(script, random.choice(COUNTRIES[script].split()), place, stems, common, form)


def stem(random: Random, half: int, script: str) -> Word:
    """A word of syllables of a half."""
    return joined(
        random.choices(syllables(half, script), k=random.choice((2, 3) if script != "kana" else (3, 4))), script
    )


def syllables(half: int, script: str) -> list[list[str]]:
    """The syllables of a script in one half: native, usual, other."""
    return [(part.split("/") * 3)[:3] for part in SYLLABLES[script][half].split()]


def joined(chosen: Sequence[Sequence[str]], script: str) -> Word:
    """One word of syllables."""
    native, usual, other = ("".join(parts) for parts in zip(*chosen, strict=True))
    return Word(native.title() if script in {"latin", "cyrillic", "greek"} else native, usual.title(), other.title())


def words_of(line: str, half: int) -> list[Word]:
    """Words of a table for one half."""
    parts = ((part.split("/") * 3)[:3] for part in line.split(" | ")[half].split())
    return [Word(*(text.replace("_", " ") for text in part)) for part in parts]


Change = Callable[[Random, Name], str]


def tuning_changes() -> dict[str, Change]:
    """How names change in practice, for tuning."""
    return {
        "another legal form": lambda r, n: n._replace(form=other_form(r, n, TUNING)).written(),
        "no legal form": lambda r, n: n._replace(form="").written().strip(),
        "romanised": lambda r, n: plain_romanised(r, n, TUNING, 1),
        "everyday words abroad": lambda r, n: abroad(r, n, TUNING, 1),
        "abbreviated": lambda r, n: shorter(abroad(r, n, TUNING, 1), TUNING),
        "backwards": lambda r, n: " ".join(reversed(spaced(n))),
        "a letter replaced": lambda r, n: changed_stem(r, n, replaced),
        "a letter left out": lambda r, n: changed_stem(r, n, left_out),
        "an everyday word left out": lambda r, n: n._replace(common=n.common[1:]).written(),
        "small letters": lambda r, n: n.written().lower(),
    }


def test_changes() -> dict[str, Change]:
    """How names change in practice, in other ways, for the test."""
    return {
        "legal form in front, abroad": lambda r, n: (
            f"{r.choice(FORMS_ABROAD[TEST])} {abroad(r, n._replace(form=''), TEST, 1)}"
        ),
        "romanised otherwise": lambda r, n: plain_romanised(r, n, TEST, 2),
        "romanised otherwise, everyday words abroad": lambda r, n: abroad(r, n, TEST, 2),
        "abbreviated otherwise": lambda r, n: shorter(abroad(r, n, TEST, 1), TEST),
        "the end in front, with a comma": lambda r, n: turned(spaced(n)),
        "two letters swapped": lambda r, n: changed_stem(r, n, swapped),
        "a letter doubled": lambda r, n: changed_stem(r, n, doubled),
        "a word cut in two": lambda r, n: changed_stem(r, n, cut),
        "words put together": put_words_together,
        "a branch": lambda r, n: (
            f"{abroad(r, n._replace(form=''), TEST, 1)} ({r.choice(BRANCHES)}) {r.choice(FORMS_ABROAD[TEST])}"
        ),
        "place left out": lambda r, n: n._replace(place=None, form="").written(),
        "look-alike letters and marks": lambda r, n: disguised(n),
        "traditional characters or diacritics": lambda r, n: n.written().translate(TRADITIONAL).translate(DIACRITICS),
        "a letter doubled, abbreviated, turned": lambda r, n: turned(
            shorter(changed_stem(r, n, doubled), TEST).split()
        ),
    }


def other_form(random: Random, name: Name, half: int) -> str:
    """Another legal form than the name has, if its script has another."""
    others = [form for form in FORMS[name.script].split(" | ")[half].split(",") if form != name.form]
    return random.choice(others or [""])


def plain_romanised(random: Random, name: Name, half: int, way: int) -> str:
    """The whole name in Latin letters, its everyday words by their sound."""
    common = tuple(Word(word.native, word.usual, word.usual) for word in name.common)
    return name._replace(form=random.choice(FORMS_ABROAD[half]), common=common).written(way)


def abroad(random: Random, name: Name, half: int, way: int) -> str:
    """As a company calls itself abroad: everyday words translated."""
    common = tuple(Word(word.native, word.other, word.other) for word in name.common)
    return name._replace(form=name.form and random.choice(FORMS_ABROAD[half]), common=common).written(way).strip()


def shorter(text: str, half: int) -> str:
    """Everyday words as they are abbreviated."""
    return " ".join(SHORTER[half].get(word, word) for word in text.split())


def spaced(name: Name) -> list[str]:
    """The words of a name; in Latin letters where they are written without spaces."""
    return name.written(1 if name.script in TOGETHER else 0).split()


def turned(words: list[str]) -> str:
    """The last word in front, or the first two at the end."""
    return f"{' '.join(words[1:])}, {words[0]}"


def changed_stem(random: Random, name: Name, change: Callable[[Random, str], str]) -> str:
    """The name with one changed stem; in Latin letters where a letter is a syllable."""
    way = 1 if name.script in {"han", "kana", "hangul", "devanagari"} else 0
    longest = max(name.stems, key=lambda word: len(word[way]))
    changed = longest._replace(**{("native", "usual")[way]: change(random, longest[way])})
    if name.script == "latin":
        changed = changed._replace(native=change(random, longest.native))
    return name._replace(stems=tuple(changed if word is longest else word for word in name.stems)).written(way)


def replaced(random: Random, word: str) -> str:
    """One letter replaced by another of the word."""
    at = random.randrange(1, len(word))
    return (
        word[:at] + random.choice([letter for letter in word.lower() if letter != word[at]] or ["e"]) + word[at + 1 :]
    )


def left_out(random: Random, word: str) -> str:
    """One letter left out, not the first."""
    at = random.randrange(1, len(word))
    return word[:at] + word[at + 1 :]


def swapped(random: Random, word: str) -> str:
    """Two neighbours swapped, not the first."""
    at = random.randrange(1, max(2, len(word) - 1))
    return word[:at] + word[at + 1 : at + 2] + word[at] + word[at + 2 :]


def doubled(random: Random, word: str) -> str:
    """One letter twice."""
    at = random.randrange(1, len(word))
    return word[:at] + word[at] + word[at:]


def cut(random: Random, word: str) -> str:
    """A space within."""
    at = random.randrange(2, len(word) - 1) if len(word) > 4 else len(word) // 2
    return f"{word[:at]} {word[at:]}"


def put_words_together(random: Random, name: Name) -> str:
    """Two words written as one."""
    words = abroad(random, name, TEST, 1).split()
    return " ".join([words[0] + words[1].lower(), *words[2:]])


def disguised(name: Name) -> str:
    """Letters that look the same and marks that are not seen."""
    text = name.written(1) if name.script != "latin" else name.written()
    words = text.split()
    return "\u202e" + "\u200b".join([words[0].translate(LOOK_ALIKE)[:3] + words[0][3:], ""]) + " " + " ".join(words[1:])


def alike(random: Random, name: Name, half: int) -> tuple[str, str, str]:
    """Another company's name that is easily taken for this one: how, the name and its country."""
    other = invented(random, half, name.script)
    ways: list[tuple[str, Name]] = [
        ("same place, everyday words and form", name._replace(stems=other.stems)),
        (
            "one stem of two",
            other._replace(stems=(name.stems[0], other.stems[0]), place=name.place, common=name.common),
        ),
        (
            "a syllable replaced",
            name._replace(stems=tuple(neighbour(random, half, name.script, word) for word in name.stems)),
        ),
        ("everyday words only", name._replace(stems=())),
    ]
    how, made = random.choice(ways if len(name.stems) > 1 else [way for way in ways if way[0] != "one stem of two"])
    way = 0 if random.random() < 0.6 else 1
    return how, made.written(way), random.choice((name.country, other.country))


def neighbour(random: Random, half: int, script: str, word: Word) -> Word:
    """A word with another syllable at one end: one that was not there."""
    others = syllables(half, script)
    held = [part for part in others if word.native.lower().startswith(part[0])]
    cut_off = len(held[0][0]), len(held[0][1]), len(held[0][2])
    new = random.choice([part for part in others if part[1][0] != held[0][1][0]])
    made = Word(*(new[way] + word[way][cut_off[way] :] for way in range(3)))
    return made._replace(native=made.native.title()) if script in {"latin", "cyrillic", "greek"} else made


def pairs(half: int, count: int, seed: int, positive: float = 0.4) -> Iterator[Pair]:
    """Labelled pairs of one half."""
    random = Random(f"{half} {seed}")
    changes = (tuning_changes, test_changes)[half]()
    for _ in range(count):
        name = invented(random, half)
        if random.random() < positive:
            how = random.choice(list(changes))
            country = name.country if random.random() < 0.8 else random.choice(("", "SG", "AE"))
            yield Pair(name, changes[how](random, name), country, True, how)
        else:
            how, text, country = alike(random, name, half)
            yield Pair(name, text, country, False, how)
