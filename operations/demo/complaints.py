"""Unwanted messages, the reports about them, and what moderators answer."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Offence:
    texts: list[str]
    #: Title and content of each.
    reports: list[tuple[str, str]]
    #: A moderator's comment while the report is in progress, and when it is resolved.
    looking: list[str]
    done: list[str]


OFFENCES = [
    Offence(
        texts=[
            "🔥 WATCHES - BAGS - SNEAKERS 🔥 80 % off, today only, shop at best-deals.example",
            "Hello dear friend, do you want 10,000 real followers? First 500 are free at grow.example",
            "Your flat could be cleaner! Ask for our offer. Reply STOP to stop. (You can not reply STOP.)",
            "Win a phone!!! Only 3 left!!! Answer one easy question at lucky-phone.example",
            "Hi, have you ever thought about vitamins? I have a PDF.",
            "New in town: kebab, pizza AND sushi. Forward this to ten people for a free drink",
        ],
        reports=[
            ("Spam", "I do not know this person and never asked for advertising."),
            (
                "Advertising from a stranger",
                "Got this out of nowhere. Friends of mine got the very same text.",
            ),
            ("Werbung", "Unerwünschte Werbung, und zwar nicht zum ersten Mal."),
            ("Unwanted ads", "This account seems to do nothing but send links."),
        ],
        looking=[
            "Thank you. We are looking at what else this account has sent.",
            "Several people have reported the same text; we are on it.",
        ],
        done=[
            "This was advertising, and the sender has been warned. Thank you for telling us.",
            "The account was a bot and is closed.",
            "Sender blocked from sending links. Please block the account as well if you like.",
        ],
    ),
    Offence(
        texts=[
            "This is the support team. Your account will be closed in 24 h. Send your password to keep it.",
            "Mum, my phone is broken, this is my new number. Can you transfer 1,200 today? I explain later",
            "Congratulations! A relative of yours left 4.5 million in our bank. We need a fee of 90 only.",
            "I buy your sofa without seeing it. Just give me your card number and a courier brings the money",
            "Guaranteed 12 % a week with our trading robot, my cousin bought a boat. Start with only 250!",
            "Your parcel is held back. Pay 1.99 for customs here: parcel-fee.example",
        ],
        reports=[
            ("Scam", "Somebody pretends to be somebody else here to get at my money."),
            (
                "Suspicious message",
                "I am sure that this is not what it says it is. Please check this account.",
            ),
            ("Fraud attempt", "My father nearly fell for it. Please do something before anybody pays."),
            ("Estafa", "Este mensaje es una estafa, tengan cuidado con esta cuenta."),
        ],
        looking=[
            "Thank you for the warning. Please do not answer and do not open the link; we are checking it.",
            "We have asked the holder of the account for an explanation.",
        ],
        done=[
            "That was a scam; the account is disabled. We never ask for a password.",
            "Account disabled, and the link reported to its host. Thank you for being quick.",
            "The account had been taken over. Its owner has it back and says sorry.",
        ],
    ),
    Offence(
        texts=[
            "Nobody asked for your opinion, clown.",
            "You are the dumbest person in the whole group, and that takes some doing.",
            "Read the ad before you write, you muppet. Some people should not be let near a keyboard.",
            "Wow. Did you write that review with your elbows? Embarrassing.",
            "I know you have seen this. ANSWER ME. Answer. ANSWER!!!",
            "Typical. People like you ruin every conversation. Get lost.",
        ],
        reports=[
            ("Insults", "I asked a polite question about an ad and got this."),
            ("Rude message", "There is no need to speak to people like that."),
            ("Please warn this person", "I have asked them to mind their tone. They do not."),
            ("Harcèlement", "Cette personne m'insulte sans raison, merci d'intervenir."),
        ],
        looking=[
            "Sorry that you had to read this. We are looking into it.",
            "We have written to the sender and wait for an answer until Friday.",
        ],
        done=[
            "That is not how we speak to each other here. The sender has been warned.",
            "Second warning for this account; a third closes it.",
            "We read the exchange: heated, but no breach of the rules. Blocking each other may be best.",
        ],
    ),
]

#: How some recipients answer.
REBUFFS = [
    "Please do not write to me again.",
    "Who are you?",
    "No, thank you.",
    "I have reported this.",
    "Wrong person, I think.",
]

_LOOKING = ["Thank you, we are checking this with the developers.", "We need a little time for this one."]
#: Reports that are about no message: title, content, and the moderators' answer.
_MATTERS = [
    (
        "Cannot change my picture",
        "There seems to be no way to upload a picture. Is there one?",
        "Not yet, but it is on the list for the next version.",
    ),
    (
        "Somebody uses my name",
        "There is an account with my full name which is not me.",
        "Two people share that name. The other one has added a middle initial.",
    ),
    (
        "Typo in the app",
        'Under settings it says "Mesages". Not urgent :)',
        "Fixed. Thank you for sharp eyes!",
    ),
    (
        "I was logged out",
        "I was logged out on all devices last night. Is my account safe?",
        "It is: that was the password change in the evening, which ends all other sessions.",
    ),
    (
        "Search finds nothing",
        "When I search for two words I often get an empty list.",
        "Only messages with both words are found. Try one of them.",
    ),
    (
        "Question about deleting",
        "If I delete a message, can the other side still read it?",
        "One that you sent is gone for both. One that you received is gone for you alone.",
    ),
    (
        "Frage zu Benachrichtigungen",
        "Kann man Benachrichtigungen nachts stumm schalten?",
        "Das geht in den Einstellungen des Telefons, in der App selbst noch nicht.",
    ),
    (
        "Unfair warning",
        "I got a warning and do not know what for. Please explain.",
        "It was meant for somebody else and is taken back. We are sorry.",
    ),
]
MATTERS = [
    Offence(texts=[], reports=[(title, content)], looking=_LOOKING, done=[answer])
    for title, content, answer in _MATTERS
]

#: The offence that each text is.
KINDS: dict[str, Offence] = {text: offence for offence in OFFENCES for text in offence.texts}
