<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="en" sourcelanguage="en">
<context>
    <name>tessera::ui::CheckpointPicker</name>
    <message numerus="yes">
        <source>Show %n newer checkpoints</source>
        <translation>
            <numerusform>Show %n newer checkpoint</numerusform>
            <numerusform>Show %n newer checkpoints</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>tessera::ui::FirstStart</name>
    <message numerus="yes">
        <source>%1, %n thread(s)%2</source>
        <translation>
            <numerusform>%1, %n thread%2</numerusform>
            <numerusform>%1, %n threads%2</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>tessera::ui::HomePage</name>
    <message numerus="yes">
        <source>%n setting(s) changed, launched</source>
        <translation>
            <numerusform>%n setting changed, launched</numerusform>
            <numerusform>%n settings changed, launched</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n GPU(s)</source>
        <translation>
            <numerusform>%n GPU</numerusform>
            <numerusform>%n GPUs</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n thread(s), %1 memory, %2, %3 free on disk</source>
        <translation>
            <numerusform>%n thread, %1 memory, %2, %3 free on disk</numerusform>
            <numerusform>%n threads, %1 memory, %2, %3 free on disk</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n setting(s) changed, not saved</source>
        <translation>
            <numerusform>%n setting changed, not saved</numerusform>
            <numerusform>%n settings changed, not saved</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>tessera::ui::HostsPage</name>
    <message numerus="yes">
        <source>%1, %n thread(s)%2</source>
        <translation>
            <numerusform>%1, %n thread%2</numerusform>
            <numerusform>%1, %n threads%2</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>tessera::ui::KnownHostsView</name>
    <message numerus="yes">
        <source>%n problem(s)</source>
        <translation>
            <numerusform>%n problem</numerusform>
            <numerusform>%n problems</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Ready, %n warning(s)</source>
        <translation>
            <numerusform>Ready, %n warning</numerusform>
            <numerusform>Ready, %n warnings</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>tessera::ui::LayoutView</name>
    <message numerus="yes">
        <source>%n more row(s) below hold the same layers.</source>
        <translation>
            <numerusform>%n more row below holds the same layers.</numerusform>
            <numerusform>%n more rows below hold the same layers.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>tessera::ui::LogView</name>
    <message numerus="yes">
        <source>%1 of %2 line(s)</source>
        <translation>
            <numerusform>%1 of %2 line</numerusform>
            <numerusform>%1 of %2 lines</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%1 line(s)</source>
        <translation>
            <numerusform>%1 line</numerusform>
            <numerusform>%1 lines</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>tessera::ui::MainWindow</name>
    <message numerus="yes">
        <source>It serves %1, and %n request(s) of other programs are under way.</source>
        <translation>
            <numerusform>It serves %1, and %n request of another program is under way.</numerusform>
            <numerusform>It serves %1, and %n requests of other programs are under way.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>tessera::ui::NewSweepDialog</name>
    <message numerus="yes">
        <source>%n run(s). The first: %1</source>
        <translation>
            <numerusform>%n run: %1</numerusform>
            <numerusform>%n runs. The first: %1</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Queue %n run(s)</source>
        <translation>
            <numerusform>Queue %n run</numerusform>
            <numerusform>Queue %n runs</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>tessera::ui::NumbersExport</name>
    <message numerus="yes">
        <source>Exporting %n runs</source>
        <translation>
            <numerusform>Exporting %n run</numerusform>
            <numerusform>Exporting %n runs</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>tessera::ui::PlaceBar</name>
    <message numerus="yes">
        <source>%1 (%n problem(s))</source>
        <translation>
            <numerusform>%1 (%n problem)</numerusform>
            <numerusform>%1 (%n problems)</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n rank(s), parallel.data = %1</source>
        <translation>
            <numerusform>%n rank, parallel.data = %1</numerusform>
            <numerusform>%n ranks, parallel.data = %1</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>tessera::ui::RanksTab</name>
    <message numerus="yes">
        <source>%n rank(s) failed or gone.</source>
        <translation>
            <numerusform>%n rank failed or gone.</numerusform>
            <numerusform>%n ranks failed or gone.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n ranks. What each of them does is told about once a second while it trains.</source>
        <translation>
            <numerusform>%n rank. What each of them does is told about once a second while it trains.</numerusform>
            <numerusform>%n ranks. What each of them does is told about once a second while it trains.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n ranks. On GPUs a call to other ranks returns before it is done, so that own work is not known here; a timeline shows it (tessera train --timeline FILE).</source>
        <translation>
            <numerusform>%n rank. On GPUs a call to other ranks returns before it is done, so that own work is not known here; a timeline shows it (tessera train --timeline FILE).</numerusform>
            <numerusform>%n ranks. On GPUs a call to other ranks returns before it is done, so that own work is not known here; a timeline shows it (tessera train --timeline FILE).</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n ranks work about as long as each other: %1 of a step of %2.</source>
        <translation>
            <numerusform>%n rank work about as long as each other: %1 of a step of %2.</numerusform>
            <numerusform>%n ranks work about as long as each other: %1 of a step of %2.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>tessera::ui::RunActions</name>
    <message numerus="yes">
        <source>Tag for %n runs</source>
        <translation>
            <numerusform>Tag for %n run</numerusform>
            <numerusform>Tag for %n runs</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n runs were archived</source>
        <translation>
            <numerusform>%n run was archived</numerusform>
            <numerusform>%n runs were archived</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n runs were taken out of the archive</source>
        <translation>
            <numerusform>%n run was taken out of the archive</numerusform>
            <numerusform>%n runs were taken out of the archive</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>tessera::ui::RunTable</name>
    <message numerus="yes">
        <source>%n runs</source>
        <translation>
            <numerusform>%n run</numerusform>
            <numerusform>%n runs</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>tessera::ui::RunsProxy</name>
    <message numerus="yes">
        <source>%1: %2 (%n runs)</source>
        <translation>
            <numerusform>%1: %2 (%n run)</numerusform>
            <numerusform>%1: %2 (%n runs)</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>tessera::ui::SlurmProfilesView</name>
    <message numerus="yes">
        <source>%n node(s)</source>
        <translation>
            <numerusform>%n node</numerusform>
            <numerusform>%n nodes</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>with %n rank(s) each</source>
        <translation>
            <numerusform>with %n rank each</numerusform>
            <numerusform>with %n ranks each</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n GPU(s) a node</source>
        <translation>
            <numerusform>%n GPU a node</numerusform>
            <numerusform>%n GPUs a node</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>tessera::ui::SpecForm</name>
    <message numerus="yes">
        <source>%n problem(s)</source>
        <translation>
            <numerusform>%n problem</numerusform>
            <numerusform>%n problems</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>tessera::ui::StatusLine</name>
    <message numerus="yes">
        <source>%1: %n run(s) going, last word %2</source>
        <translation>
            <numerusform>%1: %n run going, last word %2</numerusform>
            <numerusform>%1: %n runs going, last word %2</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n task(s)</source>
        <translation>
            <numerusform>%n task</numerusform>
            <numerusform>%n tasks</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n problem(s)</source>
        <translation>
            <numerusform>%n problem</numerusform>
            <numerusform>%n problems</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>tessera::ui::SweepView</name>
    <message numerus="yes">
        <source>%n run(s) of the sweep %1 wait in the queue</source>
        <translation>
            <numerusform>%n run of the sweep %1 waits in the queue</numerusform>
            <numerusform>%n runs of the sweep %1 wait in the queue</numerusform>
        </translation>
    </message>
</context>
</TS>
