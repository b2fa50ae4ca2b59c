"""Invented companies for the profiles of simulated tenants; a likeness to a real one would be chance."""

from __future__ import annotations

from typing import NamedTuple


class Company(NamedTuple):
    """A legal person as a provider knows it. `country` is ISO 3166-1 alpha-2."""

    legal_name: str
    country: str
    domain: str
    declared_use: str
    aliases: tuple[str, ...] = ()


CONCERN = Company(
    "兰岫算力科技有限公司",
    "CN",
    "orchid-compute.example",
    "pretraining of a general-purpose language model",
    ("Orchid Compute Technology Co., Ltd.", "Lanxiu Suanli"),
)
CONCERN_PARENT = Company("兰岫控股集团", "CN", "lanxiu-holding.example", "holding", ("Lanxiu Holding Group",))

ORDINARY = (
    Company("Nordlicht Rechenwerke GmbH", "DE", "nordlicht-rechenwerke.example", "weather models"),
    Company("Tidewrack Analytics Ltd", "GB", "tidewrack.example", "catch forecasts for small harbours"),
    Company("かもめ沢計算株式会社", "JP", "kamomezawa.example", "speech recognition", ("Kamomezawa Keisan K.K.",)),
    Company("Prairie Lantern Software, Inc.", "US", "prairielantern.example", "code completion"),
    Company("한빛여울 컴퓨트 주식회사", "KR", "hanbityeoul.example", "translation", ("Hanbit Yeoul Compute",)),
    Company("Atelier Brumes et Pixels SARL", "FR", "brumes-pixels.example", "rendering"),
    Company("शिखरदीप कम्प्यूट प्राइवेट लिमिटेड", "IN", "shikhardeep.example", "call centres", ("Shikhardeep Compute",)),
    Company("Vlinderhof Beeldlab B.V.", "NL", "vlinderhof.example", "image search"),
    Company("Υφάντρα Υπολογιστική Α.Ε.", "GR", "yfantra.example", "shipping routes", ("Yfantra Computing S.A.",)),
    Company("Estúdio Maré Baixa Ltda", "BR", "marebaixa.example", "dubbing"),
    Company("Saskatoon Otter Robotics Ltd.", "CA", "otter-robotics.example", "warehouse robots"),
    Company("Przędza Danych sp. z o.o.", "PL", "przedza.example", "invoices"),
    Company("Wattlebird Genomics Pty Ltd", "AU", "wattlebird.example", "protein folding"),
    Company("Tuuliviiri Laskenta Oy", "FI", "tuuliviiri.example", "wind farms"),
)
LARGE = (
    Company("Hollow Oak Intelligence plc", "GB", "hollowoak.example", "language models"),
    Company("Cinder Ridge Models, Inc.", "US", "cinderridge.example", "multimodal models"),
    Company("Morgentau Sprachmodelle SE", "DE", "morgentau.example", "language models for industry"),
)
# What the shells of the split run claim; nobody has verified any of it.
SHELLS = (
    Company("Pelican Quay Trading Pte. Ltd.", "SG", "pelicanquay.example", "research"),
    Company("مدار الندى للحوسبة ش.م.ح", "AE", "madar-nada.example", "cloud gaming", ("Madar Al Nada Computing FZE",)),
    Company("Cendana Biru Digital Sdn. Bhd.", "MY", "cendanabiru.example", "e-commerce"),
    Company("บริษัท ดอกปีบ คลาวด์ จำกัด", "TH", "dokpeep.example", "video", ("Dok Peep Cloud Co., Ltd.",)),
    Company("Silver Heron Advisory Limited", "GB", "silverheron.example", "consulting"),
    Company("Meridian Fern Holdings LLC", "US", "meridianfern.example", "research"),
)
UNRESOLVED = Company("Кедровая Тропа Дата", "KZ", "kedr-tropa.example", "chat assistants", ("Kedrovaya Tropa Data",))
