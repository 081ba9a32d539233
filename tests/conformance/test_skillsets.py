"""What three steps of the SDK's own test of skillsets meant to prove; they use arguments that the SDK has dropped."""

from azure.core.credentials import AzureKeyCredential
from azure.search.documents.indexes.aio import SearchIndexerClient
from azure.search.documents.indexes.models import (
    EntityLinkingSkill,
    EntityRecognitionSkillV3,
    InputFieldMappingEntry,
    OutputFieldMappingEntry,
    SearchIndexerSkill,
    SearchIndexerSkillset,
    SentimentSkillV3,
)

from emulator.server import running
from emulator.service import EmulatedService

_SETUP = EmulatedService(name="contoso")
_INPUTS = [InputFieldMappingEntry(name="text", source="/document/content")]


def _output(name: str) -> list[OutputFieldMappingEntry]:
    return [OutputFieldMappingEntry(name=name, target_name=f"{name}Found")]


async def test_skills_of_several_kinds_come_back_in_order_with_their_own_members() -> None:
    skills: list[SearchIndexerSkill] = [
        EntityRecognitionSkillV3(name="one", inputs=_INPUTS, outputs=_output("organizations"), model_version="3"),
        SentimentSkillV3(inputs=_INPUTS, outputs=_output("confidenceScores"), include_opinion_mining=True),
        EntityLinkingSkill(inputs=_INPUTS, outputs=_output("entities"), minimum_precision=0.5),
    ]
    async with (
        running([_SETUP]) as emulator,
        SearchIndexerClient(emulator.endpoint("contoso"), AzureKeyCredential(_SETUP.api_key)) as client,
    ):
        created = await client.create_skillset(
            SearchIndexerSkillset(name="several", skills=skills, description="three")
        )
        assert [type(skill) for skill in created.skills] == [type(skill) for skill in skills]
        assert created.e_tag
        read = await client.get_skillset("several")
    assert [dict(skill) for skill in read.skills] == [dict(skill) for skill in created.skills]
    first, second, third = read.skills
    assert isinstance(first, EntityRecognitionSkillV3)
    assert first.model_version == "3"
    assert isinstance(second, SentimentSkillV3)
    assert second.include_opinion_mining is True
    assert isinstance(third, EntityLinkingSkill)
    assert third.minimum_precision == 0.5


async def test_updating_a_skillset_that_was_read_keeps_its_number_and_its_skills() -> None:
    skill = EntityRecognitionSkillV3(inputs=_INPUTS, outputs=_output("organizations"))
    async with (
        running([_SETUP]) as emulator,
        SearchIndexerClient(emulator.endpoint("contoso"), AzureKeyCredential(_SETUP.api_key)) as client,
    ):
        made = await client.create_skillset(SearchIndexerSkillset(name="in-place", skills=[skill], description="first"))
        made.description = "second"
        updated = await client.create_or_update_skillset(made)
        assert updated.e_tag != made.e_tag
        assert [(one.name, one.description) for one in await client.get_skillsets()] == [("in-place", "second")]
    assert [type(one) for one in updated.skills] == [EntityRecognitionSkillV3]
