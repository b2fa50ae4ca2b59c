"""What names are full of and nobody is known by: legal forms, everyday words of trade, look-alike letters.

Tables only. They are written as people write and folded like the names they are compared with (`names.py`).
"""

from __future__ import annotations

# One form a line where words are spelt out, else several. Dots within are as good as none: "s.a." is "sa".
LEGAL_FORMS = """
a.b. | a.b.n | a.d. | a.e. | a.g. | a.o. | a.s. | a.ş. | a/s | a.v.v. | aktiebolag | aktiengesellschaft | aktsiaselts | anonim şirketi
aps | anonim sirketi | ao | as | asa | b.v. | b.v.b.a. | bhd | besloten vennootschap | bvba | c.a. | c.v. | cc | co | coltd | comp
cie | close corporation | company | company limited | compagnie | compañía | compania | corp | corporation | corporate | cv | d.d.
d.n.o. | d.o.o. | d.o.o.e.l. | doo | e.e. | e.i.r.l. | e.k. | e.p.e. | e.u. | e.v. | eeig | eirl | ent | eood | et | eurl | e.o.o.d.
fcp | fze | fz llc | fzc | fzco | fz-llc | free zone company | free zone establishment | gbr | ges.m.b.h. | gesellschaft mit beschränkter haftung
gie | gmbh | gmbh co kg | gk | godo kaisha | h.f. | hf | i.k.e. | i/s | iks | inc | incorporated | ilc | ip | j.s.c. | joint stock company
jsc | k.d. | k.k. | k.s. | kabushiki kaisha | kabushiki gaisha | kda | kft | kg | kgaa | kk | kommanditgesellschaft | ks | k.d.a. | ky | l.c. | l.d.a. | l.l.c.
l.l.p. | l.p. | lda | limitada | limited | limited liability company | limited liability partnership | limited liability | limited partnership
limited şirketi | limited sirketi | llc | llp | lp | ltd | ltda | ltd sti | ltd şti | lllp | m.b.h. | mbh | n.v. | naamloze vennootschap | nyrt | nv
o.e. | o.h.g. | oao | obshchestvo s ogranichennoy otvetstvennostyu | ohg | oo | ood | ooo | osakeyhtiö | oy | oyj | osauhing | oü | p.c. | p.j.s.c. | p.l.c. | p.s.c. | p.t.
partnership | pao | pjsc | plc | pllc | prc | private | private company | private limited | private limited company | proprietary | proprietary limited | pt | pte | pte ltd
pty | pty ltd | public company limited | public joint stock company | public limited company | pvt | pvt ltd | q.s.c. | rt | s.a. | s.a.c. | s.a.e. | s.a.l. | s.a.p.i. | s.a.r.l.
s.a.s. | s.a.s.u. | s.c. | s.c.a. | s.c.r.l. | s.c.s. | s.d.n. | s.e. | s.e.n.c. | s.l. | s.l.u. | s.n.c. | s.p. | s.p.a. | s.p.r.l. | s.r.l. | s.r.o. | sa | sab
sa cv | sa de cv | saog | saoc | sarl | sas | sca | sdn | sdn bhd | se | sendirian berhad | berhad | sia | sl | sociedad anónima | sociedad limitada | sociedade anônima
società per azioni | società a responsabilità limitata | société anonyme | société à responsabilité limitée | sp k | sp j | sp z o o | sp z oo | spółka akcyjna | spółka z o o
spółka z ograniczoną odpowiedzialnością | spa | spol s r o | spol sro | sprl | srl | sro | state owned enterprise | tbk | teo | ticaret limited şirketi | too | tov | trust company
u.a.b. | ug | uab | ug haftungsbeschränkt | unlimited | v.o.f. | v.z.w. | vof | vzw | w.l.l. | wll | xk | y.k. | yk | yoo | zao | zrt | żak | śp
αε | α ε | αβεε | επε | ε π ε | ικε | οε | εε | ανώνυμη εταιρεία
ооо | оао | зао | пао | ао | нпао | тоо | тов | ип | чп | чуп | одо | фгуп | гуп | муп | нпо | кт | ад | еад | еоод | оод | доо | дд | общество с ограниченной ответственностью
акционерное общество | публичное акционерное общество | закрытое акционерное общество | открытое акционерное общество | товариство з обмеженою відповідальністю | жшс
ש.מ | בע״מ | בעמ | חברה
ش.م.ح | ش.م.م | ش.م.ع | ش.م.ك | ش.م.ل | ش.م.ب | ش.ذ.م.م | ذ.م.م | م.م.ح | م.د.م.س | شركة | مؤسسة | المحدودة | محدودة | ذات مسؤولية محدودة | شركت | سهامی خاص | سهامی عام | با مسئولیت محدود | سهامی | مؤسسه
लिमिटेड | प्राइवेट | प्राइवेट लिमिटेड | कंपनी | प्रा लि | कम्पनी
লিমিটেড | প্রাইভেট | லிமிடெட் | პმ | შპს | ՍՊԸ | ՓԲԸ
"""

# Written without spaces around them, in scripts that put none. The longest that fits goes first.
JOINED_LEGAL_FORMS = """
股份有限公司 股份有限責任公司 有限责任公司 有限責任公司 有限公司 集团公司 公司 股份公司 有限合伙 合伙企业
株式会社 株式會社 有限会社 合同会社 合資会社 一般社団法人 財団法人 (株) (有)
주식회사 유한회사 유한책임회사 합자회사 재단법인 사단법인 (주) (유)
บริษัท จำกัด มหาชน ห้างหุ้นส่วน ห้างหุ้นส่วนจำกัด หจก บจก บมจ
ບໍລິສັດ ຈຳກັດ
"""

# Another way to write the word at the start of the line. All of these are everyday words: nobody is known by them.
EVERYDAY = """
academy: acad académie akademie akademia академия
advanced: adv
aerospace: aero space aviation avia aviatsiya авиация
agency: agentur agence agencia агентство
analytics: analytic
applied:
association: assoc assn verband
automation: automatic automatisation автоматика
bank: банк banque banco
bureau: büro
business:
capital: капитал
center: centre ctr cntr centro zentrum центр centrum
chemical: chem chemicals chemie chimie
china: chinese zhongguo
city:
cloud: облако nube nuvem السحابية क्लाउड νέφος
commercial: commerce comm comml
communication: communications comms telecom telecommunication telecommunications telekom télécom
computing: computer computers compute computation computational comp вычислительный υπολογιστική للحوسبة الحوسبة कम्प्यूट कम्प्यूटिंग keisan
construction: constr bau
consulting: consult consultancy consultants consultant advisory beratung консалтинг
data: дата daten données datos danych dati données البيانات डेटा δεδομένα
defense: defence оборона
department: dept
design: konstruktor
development: dev devt developments entwicklung développement desarrollo развитие للتطوير التطوير विकास ανάπτυξη
digital: цифровой numérique digitale
east: eastern
electric: electrical elec denki
electronics: electronic elektronik elektronika électronique electrónica электроника elektron elec للإلكترونيات الإلكترونية इलेक्ट्रॉनिक्स ηλεκτρονικά denshi jeonja
energy: energie énergie energía энергия энергетика
engineering: eng engr engg engineers ingenierie инжиниринг للهندسة الهندسية इंजीनियरिंग μηχανική инженерный
enterprise: enterprises entp
equipment: equip eqpt
establishment: est
europe: european europa
export: exports exp экспорт
factory: завод werk fabrik works plant
federal:
finance: financial fin
first:
foundation: stiftung fondation
future:
general: gen العامة
global: globe
group: gruppe groupe grupo grp gruppo группа grupa مجموعة समूह όμιλος
holding: holdings hldg hldgs холдинг القابضة συμμετοχών
import: imports imp импорт
industry: industries industrial ind indl inds industrie industria промышленность пром industriya الصناعية للصناعات इंडस्ट्रीज βιομηχανία kogyo sangyo saneop sanat
information: info informatics informatik informatique информация joho jeongbo
innovation: innovations innovative innov
institute: inst institut instituto институт istituto معهد संस्थान ινστιτούτο kenkyusho kenkyujo
intelligence: intelligent ai
international: intl internat int internacional internationale международный int'l الدولية دولية इंटरनेशनल διεθνής
investment: investments invest invt инвест
laboratory: lab labs laboratories laboratoire лаборатория laboratorium
limitless:
logistics: logistic logistik логистика
machinery: machine machines mach maschinen maschinenbau mashinostroenie
management: mgmt mgt
manufacturing: mfg manuf manufacture mfr manufacturer seisakusho
marine: maritime shipping
material: materials matls
mechanical: mech
media:
medical: med medicine medizin
metal: metals metall
microelectronics: microelectronic mikroelektronika микроэлектроника
ministry: min министерство
national: natl nat nationale nacional национальный
network: networks netw
new: novo nouveau
north: northern nord
office:
optics: optical optic optik opt
partners: partner
petroleum: petrol oil
physics: phys
plastics: plastic
power:
precision: prec
product: products prod production
project: projects
quantum:
republic: rep
research: res rsch rech forschung recherche investigación исследования scientific science sci naуchno nauchno научный научно للبحوث البحوث अनुसंधान έρευνα
robotics: robot robots robotic
science and technology: scitech
security: sec
semiconductor: semiconductors semicon semi полупроводник
service: services svc svcs сервис servicios dienstleistungen
shop:
software: softw logiciel للبرمجيات البرمجيات सॉफ्टवेयर λογισμικό
solution: solutions soln solns lösungen решения
south: southern süd
standard: std
star:
state: gosudarstvennyy государственный
studio: studios estúdio atelier
supply: supplies
system: systems sys système sistema система системы systeme الأنظمة للأنظمة सिस्टम्स συστήματα
technology: technologies technological tech techn techs technical technics technik technologie technologia tecnología tecnologia технологии технология технолоджи техно للتكنولوجيا التكنولوجيا تكنولوجيا التقنية टेक्नोलॉजी टेक्नोलॉजीज τεχνολογία τεχνολογική gijutsu teknoloji
trade: trading trdg handel handels торговля торг comercio commerce للتجارة التجارة التجارية ट्रेडिंग εμπορική shoji shokai boeki tijara tijarah altijara liltijara torgovlya maoyi
transport: transportation trans trsp транспорт
union:
university: univ universität universitaet université universidad universidade università университет uni جامعة विश्वविद्यालय πανεπιστήμιο daigaku daehakgyo universitet jamia
ventures: venture
west: western
world: worldwide mundo welt
"""

# The same for scripts without spaces: what is written, and the everyday word that it is.
JOINED_EVERYDAY = """
科学技术 technology  科技 technology  技术 technology  技術 technology  科學 research  科学 research  集团 group  集團 group  控股 holding
电子 electronics  電子 electronics  信息 information  資訊 information  网络 network  網路 network  软件 software  软體 software
国际 international  國際 international  贸易 trade  貿易 trade  商贸 trade  工业 industry  工業 industry  实业 industry  實業 industry
大学 university  大學 university  学院 academy  學院 academy  研究所 institute  研究院 institute  研究 research  研究センター center
数据 data  數據 data  智能 intelligence  智慧 intelligence  人工智能 intelligence  通信 communication  通讯 communication  半导体 semiconductor  半導體 semiconductor
投资 investment  投資 investment  管理 management  系统 system  系統 system  设备 equipment  設備 equipment  机械 machinery  機械 machinery
发展 development  發展 development  中国 china  中國 china  云计算 cloud  算力 computing  计算 computing  計算 computing  计算机 computing
服务 service  服務 service  咨询 consulting  物流 logistics  能源 energy  新能源 energy  材料 material  光电 optics  光電 optics  微电子 microelectronics
航空 aerospace  航天 aerospace  工程 engineering  进出口 trade  電機 electric  电气 electric  商事 trade  製作所 manufacturing  精密 precision
テクノロジー technology  ホールディングス holding  システム system  データ data  コンピューティング computing  グループ group  ソリューション solution
기술 technology  테크놀로지 technology  그룹 group  전자 electronics  시스템 system  컴퓨트 computing  컴퓨팅 computing  데이터 data  국제 international  대학교 university  연구소 institute  정보 information  통신 communication  산업 industry
เทคโนโลยี technology  คลาวด์ cloud  กรุ๊ป group  ดาต้า data
"""

# Places that are read otherwise than they are written, or that have a name of their own abroad.
JOINED_PLACES = "東京 tokyo 大阪 osaka 京都 kyoto 横浜 yokohama 名古屋 nagoya 神戸 kobe 福岡 fukuoka 札幌 sapporo 香港 hongkong 澳门 macau 澳門 macau"
ABROAD = """
peking beijing  tientsin tianjin  canton guangzhou  nanking nanjing  chungking chongqing  moskva moscow  moskwa moscow  москва moscow
sankt saint  athina athens  αθηνα athens  alqahirah cairo  qahirah cairo  القاهره cairo  دبي dubai  طهران tehran  الشارقه sharjah  shariqah sharjah
bombay mumbai  poona pune  मुंबई mumbai  पुणे pune  दिल्ली delhi  서울 seoul  부산 busan  pusan busan  warszawa warsaw  praha prague  wien vienna
münchen munich  köln cologne  milano milan  roma rome  lisboa lisbon  казань kazan  минск minsk  київ kyiv  киев kyiv  kiev kyiv  rossiya russia  россия russia
"""

# Places that companies name themselves or their branches after.
PLACES = """
africa america asia asian pacific europe european eurasia gulf nordic baltic arab arabia china chinese hongkong macau taiwan japan korea
singapore malaysia indonesia india indian pakistan vietnam thailand russia russian ukraine belarus kazakhstan turkey iran iraq syria uae
emirates saudi qatar egypt israel germany deutschland france italia italy spain england uk usa canada mexico brasil brazil australia austria
swiss switzerland netherlands nederland belgium poland polska sweden norway denmark finland cyprus greece hellas
beijing shanghai tianjin chongqing guangzhou shenzhen wuhan nanjing hangzhou chengdu xian dalian suzhou harbin taipei kaohsiung tokyo osaka
kyoto yokohama nagoya kobe fukuoka sapporo seoul busan delhi mumbai pune bangalore chennai kolkata karachi lahore dhaka bangkok hanoi jakarta
manila kualalumpur dubai sharjah abudhabi doha riyadh jeddah cairo tehran baghdad damascus beirut ankara istanbul izmir bursa moscow petersburg
samara kazan tomsk novosibirsk ural sibir siberia minsk kyiv kharkiv almaty astana tashkent london manchester bristol leeds dublin paris lyon
marseille berlin hamburg munich leipzig dresden frankfurt cologne vienna zurich geneva milan rome turin madrid barcelona lisbon porto amsterdam
rotterdam brussels antwerp warsaw krakow prague budapest bucharest sofia athens patra patras stockholm oslo copenhagen helsinki riga vilnius
tallinn york boston chicago dallas houston texas california angeles toronto vancouver montreal sydney melbourne
"""

IGNORED = """
a al an and at by da de del della der des di do dos du e el et for für fur i in la le les of on or os the to u und van von y z
и в на для по και της του των ال و
"""

# Letters that look Latin inside a word that is otherwise Latin.
LOOK_ALIKE = str.maketrans("аеорсухкмтвніѕјԁԛԝαεορυχκτνι", "aeopcyxkmtbhisjdqwaeopuxktvi")
