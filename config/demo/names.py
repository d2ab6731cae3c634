"""What demo people and organizations are called. The domain is one that nobody has."""

import re

# RFC 2606: no mail to it ever reaches anybody.
DOMAIN = "demo.example.com"
NUMBER = re.compile(r"(\d+)(?:@|\Z)")

FIRST = (
    "Ada", "Alan", "Amina", "Anna", "Barbara", "Carlos", "Chen", "Clara", "Daniel",
    "Edsger", "Elena", "Emil", "Fatima", "Frances", "Grace", "Haruki", "Hedy", "Ines",
    "Ivan", "Jan", "Jonas", "Kamala", "Katherine", "Lars", "Leila", "Lucia", "Marie",
    "Mateo", "Mei", "Mina", "Nadia", "Niklaus", "Noor", "Olga", "Omar", "Paul", "Priya",
    "Rosa", "Sofia", "Tariq", "Tim", "Vera", "Wei", "Yara", "Yuki", "Zoe",
)  # fmt: skip
LAST = (
    "Abel", "Almeida", "Backus", "Bauer", "Byron", "Castro", "Cerf", "Cohen", "Costa",
    "Dahl", "Diaz", "Engelbart", "Fischer", "Floyd", "Garcia", "Gupta", "Hamilton",
    "Hansen", "Hopper", "Ito", "Jensen", "Johnson", "Kaya", "Khan", "Kim", "Knuth",
    "Kowalski", "Lamarr", "Lamport", "Liskov", "Lovelace", "Martin", "Mbeki", "Meyer",
    "Moreau", "Nakamura", "Nguyen", "Novak", "Okafor", "Perlman", "Petrov", "Ritchie",
    "Rossi", "Sato", "Schmidt", "Silva", "Tanaka", "Turing", "Vaughan", "Weber",
    "Wilkes", "Wirth", "Yilmaz", "Zuse",
)  # fmt: skip
KINDS = (
    "Bakery", "Books", "Brewery", "Builders", "Ceramics", "Clinic", "Cycles", "Dairy",
    "Engines", "Farms", "Films", "Foods", "Gardens", "Glass", "Harbour", "Instruments",
    "Labs", "Logistics", "Mills", "Museum", "Optics", "Orchestra", "Papers", "Radio",
    "School", "Shipping", "Software", "Studio", "Textiles", "Tools", "Tours", "Works",
)  # fmt: skip
TRAITS = (
    "Analytical", "Atlantic", "Blue", "Bright", "Central", "Clear", "Coastal", "Copper",
    "Eastern", "First", "Golden", "Granite", "Green", "Harvest", "Hill", "Iron", "Lake",
    "Little", "Maple", "Meadow", "Modern", "New", "Northern", "Oak", "Open", "Pacific",
    "Red", "River", "Silver", "Southern", "Stone", "Summit", "United", "Western",
)  # fmt: skip


def full_name(number: int) -> tuple[str, str]:
    rest, first = divmod(number, len(FIRST))
    return FIRST[first], LAST[(rest + first) % len(LAST)]


def address(number: int) -> str:
    """In the form of a key already (accounts.addresses.email_key)."""
    first, last = full_name(number)
    return f"{first}.{last}{number}@{DOMAIN}".lower()


def tenant(number: int) -> tuple[str, str]:
    """Name and slug; the slug has the number, and no other has it."""
    rest, trait = divmod(number, len(TRAITS))
    name = f"{TRAITS[trait]} {KINDS[(rest + trait) % len(KINDS)]}"
    return name, f"{name.lower().replace(' ', '-')}-demo-{number}"


def number_in(name: str) -> int:
    """Of an address or a slug made here, else -1."""
    found = NUMBER.search(name)
    return int(found[1]) if found else -1
