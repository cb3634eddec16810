"""Short dialogues by topic, with placeholders.

A line is `who: text`; `b>2:` answers line 2. A placeholder has one value throughout a dialogue, so a Thursday
stays that Thursday. {a} and {b} are the names of the two speakers.
"""

BLANKS: dict[str, list[str]] = {
    "day": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday", "tomorrow"],
    "time": ["9", "half past ten", "11:15", "noon", "3 pm", "16:30", "six", "19:00", "quarter past eight"],
    "place": [
        "the café by the library",
        "Bar Miró",
        "the market hall",
        "the station clock",
        "my office",
        "the bakery on the corner",
        "the north gate of the park",
        "Kino Babylon",
    ],
    "street": ["Lindenstraße", "Harbour Lane", "Rua das Flores", "Mill Road", "Nørregade", "Calle Olmo"],
    "rooms": ["one room", "two rooms", "two and a half rooms", "three rooms", "a studio"],
    "rent": ["780", "910", "1,050", "1,240", "695", "1,390"],
    "parcel": ["a pair of hiking boots", "the lamp", "my passport photos", "two books", "a bicycle tyre"],
    "carrier": ["the courier", "the post", "the delivery app", "the driver"],
    "team": ["Rovers", "United", "Hertha", "Boca", "the Lions", "Sporting", "our lot", "Fenerbahçe"],
    "score": ["2-1", "0-0", "3-3", "1-0", "4-2", "5-1"],
    "dish": ["lentil soup", "shakshuka", "jollof rice", "pierogi", "dal makhani", "ramen", "Käsespätzle"],
    "thing": ["cumin", "smoked paprika", "a squeeze of lemon", "fresh dill", "one more onion", "ginger"],
    "branch": ["fix-login-redirect", "csv-export", "faster-search", "drop-py310", "invoice-rounding"],
    "module": ["the parser", "the retry loop", "the migration", "the cache key", "the date picker"],
    "film": ["the one with the lighthouse", "that Korean thriller", "the documentary on eels", "Paterson"],
    "city": ["Lisbon", "Kraków", "Izmir", "Lagos", "Gothenburg", "Bologna", "Kyiv", "Galway"],
    "pet": ["the cat", "Biscuit", "the dog", "Señor Pelusa", "the rabbit"],
}

DIALOGUES: dict[str, list[str]] = {
    "plans": [
        """a: Hi {b}! Do you have an hour on {day}?
b: Should do. What time?
a: {time}, at {place}?
b>3: Perfect, see you there
a: 👍""",
        """a: Are we still on for {day}?
b: Yes! {time} at {place}, right?
a>2: Exactly. I may be five minutes late
b: You are always five minutes late :)
a: It is called consistency""",
        """a: {b}, I have to move our appointment, sorry. Dentist.
b: No problem. Would {day} suit you?
a>2: {day} at {time} would be great
b: Noted. Good luck with the dentist!""",
        """a: I am at {place}, where are you?
b: Two stops away, the tram stands still
a: I'll order for you. Coffee?
b>3: Tea please, anything green
a: Done""",
        """a: Shall we see {film} on {day}?
b: Already seen it, but I would go again
a: Really?
b>3: Really. The last ten minutes alone are worth it
a: Then {time}, and I get the tickets""",
        """a: When does your train get in?
b: {time} if they keep their word
a>2: I'll wait at {place}
b: You are the best""",
        """a: Could you call me when you have a minute? Nothing bad.
b: In a meeting until {time}, then yes
a: No hurry""",
    ],
    "flat-hunt": [
        """a: Found something: {rooms} on {street}, {rent} a month
b: Warm or cold?
a>2: Cold. Plus heating about 120
b: That is steep. Is there a balcony?
a: A very small one. A chair fits
b: A chair is all you need
a: Viewing is on {day}, would you come along?
b>7: Sure, I'll bring the tape measure""",
        """a: How was the viewing on {street}?
b: Forty people on the stairs. Forty!
a: Oh no
b: And the bathroom has a window into the kitchen
a>4: Into the kitchen?? I need a picture
b: I was too shocked to take one""",
        """a: {b}, does your house still look for somebody for the third floor?
b: I think so, {rooms} for {rent}. Shall I ask the landlady?
a>2: Please do, our contract ends in spring
b: Just wrote to her. She wants payslips and a short note about you
a: Sent you both. Thank you so much!""",
        """a: We got it. WE GOT THE FLAT
b: Nooo! The one on {street}?
a>2: That one! Keys on {day}
b: Congratulations 🎉 Who carries the washing machine?
a: Well. You are strong, and I bake cake
b>5: It had better be a big cake""",
        """a: Could you lend us the van on {day}? Only from {street} to the new place
b: Yes, but the reverse gear needs some love
a: I only plan to drive forward in life""",
    ],
    "parcels": [
        """a: Did {carrier} leave something with you? I am waiting for {parcel}
b: There is a parcel in the hall with no name on it
a>2: Brown box, about like a shoebox?
b: That's the one. I put it behind the door
a: You saved my week""",
        """a: Tracking says "delivered". Nothing was delivered.
b: Classic. Ask at the kiosk on {street}, they take everything
a>2: They have it! Signed by somebody called Mouse
b: Don't question it, just take {parcel} and run""",
        """a: I have been waiting for {parcel} for three weeks now
b: From where?
a: {city}. It has been "in customs" since the 4th
b>3: Mine took a month. Then two came
a: Two?
b: They said keep it""",
        """a: Could you take in a parcel for me on {day}?
b: If it comes before {time}, sure
a>2: {carrier} says between 8 and 18, helpful as ever
b: I'll put a note on the door""",
        """a: Parcel for you at ours! It rattles.
b: It should not rattle
a: It rattles a little""",
    ],
    "football": [
        """a: Did you see that?!
b: Don't tell me, I am recording it!
a: Ok. I say nothing. Only: wow
b>3: {a}!!!""",
        """a: {score}. I have no words
b: I have some, but my daughter is in the room
a: How does one miss that from four metres
b>3: Wind. It was the wind
a: It was indoors, {b}""",
        """a: Kickabout on {day}, {time}. We are one short
b: My knee says no, my heart says yes
a: Which one do you listen to
b>3: The knee, for once. Ask at {place}, they always have somebody""",
        """a: Two tickets for {team} on {day}, my brother can't go
b: Which stand?
a>2: East, row 14. Right where they sing
b: In. What do I owe you?
a: A sausage and your company""",
        """a: So {team} need a draw and a miracle
b: They have had three miracles this season
a: That's why I am worried
b: {score}, mark my words""",
        """a: Fantasy league: you put your goalkeeper on the bench again
b: It is called tactics
a>2: It is called minus eight points""",
    ],
    "recipes": [
        """a: What was in that {dish}? I still think of it
b: Honestly, the secret is {thing}
a: That's all?
b>3: And patience. Forty minutes at the very least
a: Patience I have to buy first
b: Aisle seven""",
        """a: I burnt the {dish}.
b: How badly?
a>2: The smoke alarm and I are on first-name terms
b: Scrape off the top, add {thing}, say it's rustic""",
        """a: Could you send me your mum's recipe for {dish}?
b: She has never written it down. "Until it looks right"
a: Helpful :D
b: I'll film her on {day}
a>4: Please do! And ask whether {thing} goes in before or after
b: Before. That much I know""",
        """a: Eight people for dinner on {day}, two vegans, one without gluten
b: Make {dish}, it forgives everything
a>2: For eight?
b: Take the big pot, I'll bring it over at {time}""",
        """a: My sourdough is dead
b: Has it been in the fridge?
a: Since spring
b>3: Then it's asleep. Feed it twice a day and talk to it
a: I will not talk to it
b: That's what they all say""",
    ],
    "code-review": [
        """a: Could you have a look at {branch} when you find time?
b: Reading it now. Why the second query in {module}?
a>2: Leftover. Pushed a fix
b: Then there is one test that passes for the wrong reason, I commented on it
a: Ouch, true. Give me ten minutes
b: Approved 🚢""",
        """a: The build is red since your merge, I think it's {module}
b: Works on my machine™
a: {b}...
b>3: Kidding, I see it. Time zone again. Fix is on {branch}
a: Green. Thanks for being quick""",
        """a: I'd split {branch} in two: the rename, and the change
b: It's 40 lines!
a>2: 40 lines in which I can't tell what changed
b: Fair. Two commits, same branch?
a: Good compromise""",
        """a: Who wrote {module}? It has no tests and a comment saying "sorry"
b: git blame says: you, two years ago
a>2: I stand by the comment""",
        """a: Is it safe to deploy {branch} before the weekend?
b: It's Friday-safe in the sense that I am not on call
a>2: So no
b: So {day}, {time}, with coffee
a: Agreed""",
        """a: p95 went from 800 ms to 90 after the index. 90!
b: Which index?
a>2: The one you suggested in March and I called premature
b: I'll frame this message""",
    ],
    "book-club": [
        """a: How far are you in the book?
b: Page 60. Who is Aunt Rosa?
a>2: There are two of them, that's the point
b: Ohhh. I have to start over""",
        """a: Book club on {day} at {time}, my place
b: I'll bring {dish}. Have you finished it?
a: I have finished the first half twice
b>3: That counts""",
        """a: Next month's pick is yours
b: Something short?
a: The last "something short" had 700 pages
b>3: Short for what it was!""",
    ],
    "small-talk": [
        """a: Good morning! How is {pet}?
b: Asleep on my keyboard, thus the typos
a: Send a picture
b>3: The lens is covered in fur, one moment
b: Ok here: imagine a very smug loaf of bread""",
        """a: It's snowing!!
b: Here: rain, sideways
a: Where are you again?
b>3: {city}. It always rains in {city}""",
        """a: How was {city}?
b: Loud, warm, wonderful. I ate {dish} four days in a row
a: Jealous
b: I brought you something. It's {thing}
a>4: You know me too well""",
        """a: Happy birthday {b}!! 🎂
b: Thank you!! You are the first, before my own mother
a: Don't tell her
b: She's typing right now...""",
        """a: Can't sleep
b: Me neither. Full moon?
a: Neighbours. They are moving a wardrobe, I think. Or learning to dance
b>3: At this hour? Maybe both""",
        """a: ¿Cómo va todo, {b}?
b: Tirando, con mucho trabajo. ¿Y tú?
a: Igual. ¿Un café el viernes?
b>3: ¡Hecho!""",
        """a: Na, gut angekommen?
b: Ja, eine Stunde Verspätung, aber mit Sitzplatz
a: Also fast pünktlich
b>3: Für die Bahn: überpünktlich""",
        """a: Do you still have my ladder?
b: I have A ladder. Is it yours?
a>2: Green paint on the third rung
b: Then yes. Come by {day}?
a: Gladly, {time}""",
        """a: I start the new job on {day}
b: So exciting! Nervous?
a: I have ironed three shirts and can only wear one
b>3: Wear the blue one. And breathe
a: Thank you ❤️""",
        """a: Thanks for yesterday, it was lovely
b: It was! {pet} misses you already
a: I will be back. There was {dish} left, wasn't there?
b: There was. Past tense.""",
        """a: Did you get home all right?
b: Yes, just in the door. Good night!
a: Good night 🌙""",
        """a: Quick question: is {place} open on {day}?
b: Until {time}, I think
a: Thanks!""",
        """a: You forgot your umbrella here
b: I don't own an umbrella
a>2: Then whose is it??
b: A mystery. Keep it, it rains on {day}""",
    ],
}
