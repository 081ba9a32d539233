"""The data for the SDK's tests is what they take for granted, before any of it meets the emulator."""

from tests.conformance import hotels


def test_ten_hotels_are_numbered_and_sixty_are_more_than_a_page_without_top() -> None:
    assert [hotel["hotelId"] for hotel in hotels.ten()] == [str(number) for number in range(1, 11)]
    assert len({hotel["hotelId"] for hotel in hotels.sixty()}) == 60


def test_data_is_the_same_every_time() -> None:
    assert hotels.sixty() == hotels.sixty()
    assert hotels.sample_hotels() == hotels.sample_hotels()
    assert hotels.vector("query") == hotels.vector("query")


def test_hotels_have_no_fields_that_their_index_lacks() -> None:
    names = {field["name"] for field in hotels.definition()["fields"]}
    assert all(set(hotel) <= names for hotel in hotels.ten() + hotels.sixty())
    sample_names = {field["name"] for field in hotels.sample_definition("any")["fields"]}
    assert all(set(hotel) == sample_names - {"Description_fr"} for hotel in hotels.sample_hotels())
