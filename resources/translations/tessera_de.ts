<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de" sourcelanguage="en">
<context>
    <name>Alert</name>
    <message>
        <source>The loss is not a number</source>
        <translation>Der Loss ist keine Zahl</translation>
    </message>
    <message>
        <source>Training cannot come back from it by itself</source>
        <translation>Davon erholt sich das Training nicht von selbst</translation>
    </message>
    <message>
        <source>The loss has run away</source>
        <translation>Der Loss ist davongelaufen</translation>
    </message>
    <message>
        <source>It is so many times the first loss of the run, or more</source>
        <translation>Er ist so viele Male so groß wie der erste Loss des Laufs, oder größer</translation>
    </message>
    <message>
        <source>times</source>
        <translation>mal</translation>
    </message>
    <message>
        <source>Experts get no tokens</source>
        <translation>Experten bekommen keine Tokens</translation>
    </message>
    <message>
        <source>An expert of some layer had none in so many logged loads in a row</source>
        <translation>Ein Experte einer Schicht hatte in so vielen geloggten Lasten nacheinander keins</translation>
    </message>
    <message>
        <source>loads</source>
        <translation>Lasten</translation>
    </message>
    <message>
        <source>A run makes no progress</source>
        <translation>Ein Lauf kommt nicht voran</translation>
    </message>
    <message>
        <source>It trains, and no step has ended for so long</source>
        <translation>Er trainiert, und seit so langer Zeit ist kein Schritt fertig geworden</translation>
    </message>
    <message>
        <source>minutes</source>
        <translation>Minuten</translation>
    </message>
</context>
<context>
    <name>Banner</name>
    <message>
        <source>Error</source>
        <translation>Fehler</translation>
    </message>
    <message>
        <source>Warning</source>
        <translation>Warnung</translation>
    </message>
    <message>
        <source>Note</source>
        <translation>Hinweis</translation>
    </message>
</context>
<context>
    <name>Chart</name>
    <message>
        <source>+%1 more</source>
        <translation>+%1 weitere</translation>
    </message>
    <message>
        <source>%1 was not written: %2</source>
        <translation>%1 wurde nicht geschrieben: %2</translation>
    </message>
    <message>
        <source>Checkpoint</source>
        <translation>Checkpoint</translation>
    </message>
    <message>
        <source>Resumed</source>
        <translation>Fortgesetzt</translation>
    </message>
    <message>
        <source>Rolled back</source>
        <translation>Zurückgesprungen</translation>
    </message>
    <message>
        <source>Loss spike</source>
        <translation>Ausschlag des Loss</translation>
    </message>
    <message>
        <source>Stage begins</source>
        <translation>Stufe beginnt</translation>
    </message>
    <message>
        <source>Not logged by this run.</source>
        <translation>Dieser Lauf loggt das nicht.</translation>
    </message>
    <message>
        <source>No step has been logged yet.</source>
        <translation>Noch kein Schritt ist geloggt.</translation>
    </message>
    <message>
        <source>Loss: training and validation</source>
        <translation>Loss: Training und Validierung</translation>
    </message>
    <message>
        <source>Validation loss by source</source>
        <translation>Validierungs-Loss nach Quelle</translation>
    </message>
    <message>
        <source>No validation yet: [validation] every_steps says how often.</source>
        <translation>Noch keine Validierung: [validation] every_steps sagt, wie oft.</translation>
    </message>
    <message>
        <source>The memory in use was not measured.</source>
        <translation>Der belegte Speicher wurde nicht gemessen.</translation>
    </message>
    <message>
        <source>A dense model has no experts to balance.</source>
        <translation>Ein dichtes Modell hat keine Experten auszugleichen.</translation>
    </message>
    <message>
        <source>MaxVio by layer</source>
        <translation>MaxVio nach Schicht</translation>
    </message>
    <message>
        <source>The model has no multi-token prediction module.</source>
        <translation>Das Modell hat kein Modul zur Vorhersage mehrerer Tokens.</translation>
    </message>
    <message>
        <source>The experts of this run are not spread over ranks.</source>
        <translation>Die Experten dieses Laufs sind nicht auf Ränge verteilt.</translation>
    </message>
    <message>
        <source>The sequence-wise balance loss is off.</source>
        <translation>Der Ausgleichs-Loss je Sequenz ist aus.</translation>
    </message>
    <message>
        <source>layer %1</source>
        <translation>Schicht %1</translation>
    </message>
    <message>
        <source>MTP</source>
        <translation>MTP</translation>
    </message>
    <message>
        <source>Loss spike: %1, usually %2</source>
        <translation>Ausschlag des Loss: %1, üblich %2</translation>
    </message>
    <message>
        <source>Rolled back from step %1</source>
        <translation>Zurückgesprungen von Schritt %1</translation>
    </message>
    <message>
        <source>Stage: %1</source>
        <translation>Stufe: %1</translation>
    </message>
    <message>
        <source>validation</source>
        <translation>Validierung</translation>
    </message>
    <message>
        <source>MoE layer %1</source>
        <translation>MoE-Schicht %1</translation>
    </message>
    <message>
        <source>Step</source>
        <translation>Schritt</translation>
    </message>
    <message>
        <source>Tokens</source>
        <translation>Tokens</translation>
    </message>
    <message>
        <source>Time of day</source>
        <translation>Uhrzeit</translation>
    </message>
    <message>
        <source>Time since start</source>
        <translation>Zeit seit dem Start</translation>
    </message>
    <message>
        <source>step %1</source>
        <translation>Schritt %1</translation>
    </message>
    <message>
        <source>%1 tokens</source>
        <translation>%1 Tokens</translation>
    </message>
    <message>
        <source>Checkpoint after %1 steps</source>
        <translation>Checkpoint nach %1 Schritten</translation>
    </message>
</context>
<context>
    <name>ChartPanel</name>
    <message>
        <source>before the first step</source>
        <translation>vor dem ersten Schritt</translation>
    </message>
    <message>
        <source>at step %1</source>
        <translation>bei Schritt %1</translation>
    </message>
</context>
<context>
    <name>DropReason</name>
    <message>
        <source>empty</source>
        <translation>leer</translation>
    </message>
    <message>
        <source>cannot be read</source>
        <translation>nicht lesbar</translation>
    </message>
    <message>
        <source>not text</source>
        <translation>kein Text</translation>
    </message>
    <message>
        <source>not UTF-8</source>
        <translation>kein UTF-8</translation>
    </message>
    <message>
        <source>damaged archive</source>
        <translation>beschädigtes Archiv</translation>
    </message>
    <message>
        <source>broken JSON</source>
        <translation>fehlerhaftes JSON</translation>
    </message>
    <message>
        <source>no text field</source>
        <translation>kein Textfeld</translation>
    </message>
    <message>
        <source>line too long to read</source>
        <translation>Zeile zu lang zum Lesen</translation>
    </message>
    <message>
        <source>too short</source>
        <translation>zu kurz</translation>
    </message>
    <message>
        <source>too long</source>
        <translation>zu lang</translation>
    </message>
    <message>
        <source>few letters</source>
        <translation>wenige Buchstaben</translation>
    </message>
    <message>
        <source>many symbols</source>
        <translation>viele Sonderzeichen</translation>
    </message>
    <message>
        <source>control characters</source>
        <translation>Steuerzeichen</translation>
    </message>
    <message>
        <source>long lines</source>
        <translation>lange Zeilen</translation>
    </message>
    <message>
        <source>long words</source>
        <translation>lange Wörter</translation>
    </message>
    <message>
        <source>repeated lines</source>
        <translation>wiederholte Zeilen</translation>
    </message>
    <message>
        <source>repeated phrases</source>
        <translation>wiederholte Wendungen</translation>
    </message>
    <message>
        <source>duplicate</source>
        <translation>Dublette</translation>
    </message>
    <message>
        <source>nearly a duplicate</source>
        <translation>beinahe eine Dublette</translation>
    </message>
</context>
<context>
    <name>Dropped</name>
    <message>
        <source>%1 is not there</source>
        <translation>%1 ist nicht da</translation>
    </message>
    <message>
        <source>%1 is neither a spec (.toml), a run, a model folder with config.json, nor text that a run can learn from</source>
        <translation>%1 ist weder eine Spec (.toml) noch ein Lauf, ein Modellordner mit config.json oder Text, aus dem ein Lauf lernen kann</translation>
    </message>
</context>
<context>
    <name>Experts</name>
    <message>
        <source>Load</source>
        <translation>Last</translation>
    </message>
    <message>
        <source>tokens a step</source>
        <translation>Tokens je Schritt</translation>
    </message>
    <message>
        <source>%1 fair</source>
        <translation>%1 fair</translation>
    </message>
    <message>
        <source>Use ratio</source>
        <translation>Nutzungsgrad</translation>
    </message>
    <message>
        <source>load / mean</source>
        <translation>Last / Mittel</translation>
    </message>
    <message>
        <source>1 fair</source>
        <translation>1 fair</translation>
    </message>
    <message>
        <source>Bias</source>
        <translation>Bias</translation>
    </message>
    <message>
        <source>Change</source>
        <translation>Änderung</translation>
    </message>
    <message>
        <source>of affinity</source>
        <translation>der Affinität</translation>
    </message>
    <message>
        <source>of use ratio</source>
        <translation>des Nutzungsgrads</translation>
    </message>
</context>
<context>
    <name>FormSection</name>
    <message>
        <source>Run</source>
        <translation>Lauf</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>Modell</translation>
    </message>
    <message>
        <source>Data</source>
        <translation>Daten</translation>
    </message>
    <message>
        <source>Curriculum</source>
        <translation>Lehrplan</translation>
    </message>
    <message>
        <source>Optimiser</source>
        <translation>Optimierer</translation>
    </message>
    <message>
        <source>Precision</source>
        <translation>Genauigkeit</translation>
    </message>
    <message>
        <source>Parallelism</source>
        <translation>Parallelität</translation>
    </message>
    <message>
        <source>Checkpoints</source>
        <translation>Checkpoints</translation>
    </message>
    <message>
        <source>Host</source>
        <translation>Rechner</translation>
    </message>
</context>
<context>
    <name>Metric</name>
    <message>
        <source>Loss</source>
        <translation>Loss</translation>
    </message>
    <message>
        <source>MTP loss</source>
        <translation>MTP-Loss</translation>
    </message>
    <message>
        <source>Balance loss</source>
        <translation>Balance-Loss</translation>
    </message>
    <message>
        <source>Learning rate</source>
        <translation>Lernrate</translation>
    </message>
    <message>
        <source>Gradient norm</source>
        <translation>Gradientennorm</translation>
    </message>
    <message>
        <source>Gradient scale by clipping</source>
        <translation>Skalierung der Gradienten</translation>
    </message>
    <message>
        <source>Tokens per second</source>
        <translation>Tokens je Sekunde</translation>
    </message>
    <message>
        <source>Model FLOPs utilisation</source>
        <translation>Auslastung (MFU)</translation>
    </message>
    <message>
        <source>Memory</source>
        <translation>Speicher</translation>
    </message>
    <message>
        <source>Bytes to experts on other ranks</source>
        <translation>Bytes zu Experten auf anderen Rängen</translation>
    </message>
    <message>
        <source>Ranks per token</source>
        <translation>Ränge je Token</translation>
    </message>
    <message>
        <source>Busiest rank of experts</source>
        <translation>Vollster Rang der Experten</translation>
    </message>
    <message>
        <source>MaxVio, worst layer</source>
        <translation>MaxVio, schlechteste Schicht</translation>
    </message>
    <message>
        <source>Bias update speed</source>
        <translation>Bias-Geschwindigkeit</translation>
    </message>
    <message>
        <source>MTP weight</source>
        <translation>MTP-Gewicht</translation>
    </message>
    <message>
        <source>Sequence length</source>
        <translation>Sequenzlänge</translation>
    </message>
    <message>
        <source>Batch</source>
        <translation>Batch</translation>
    </message>
</context>
<context>
    <name>NamesOnly</name>
    <message>
        <source>Folder</source>
        <translation>Ordner</translation>
    </message>
    <message>
        <source>File</source>
        <translation>Datei</translation>
    </message>
    <message>
        <source>%1 file</source>
        <translation>%1-Datei</translation>
    </message>
</context>
<context>
    <name>Pages</name>
    <message>
        <source>Home</source>
        <translation>Start</translation>
    </message>
    <message>
        <source>Hosts</source>
        <translation>Rechner</translation>
    </message>
    <message>
        <source>Settings</source>
        <translation>Einstellungen</translation>
    </message>
    <message>
        <source>Configure</source>
        <translation>Konfigurieren</translation>
    </message>
    <message>
        <source>Curriculum</source>
        <translation>Lehrplan</translation>
    </message>
    <message>
        <source>Runs</source>
        <translation>Läufe</translation>
    </message>
    <message>
        <source>Monitor</source>
        <translation>Monitor</translation>
    </message>
    <message>
        <source>Experts</source>
        <translation>Experten</translation>
    </message>
    <message>
        <source>Chat</source>
        <translation>Chat</translation>
    </message>
    <message>
        <source>Manual</source>
        <translation>Handbuch</translation>
    </message>
    <message>
        <source>Server</source>
        <translation>Server</translation>
    </message>
</context>
<context>
    <name>PlaceBar</name>
    <message>
        <source>set %1 to %2</source>
        <translation>%1 auf %2 setzen</translation>
    </message>
</context>
<context>
    <name>Problem</name>
    <message>
        <source>; expected %1</source>
        <translation>; erwartet: %1</translation>
    </message>
    <message>
        <source>; did you mean &quot;%1&quot;?</source>
        <translation>; ist „%1“ gemeint?</translation>
    </message>
    <message>
        <source>Rename to %1</source>
        <translation>Umbenennen in %1</translation>
    </message>
    <message>
        <source>%1 to %2</source>
        <translation>%1 auf %2</translation>
    </message>
    <message>
        <source>Set %1</source>
        <translation>%1 setzen</translation>
    </message>
</context>
<context>
    <name>ReferenceDialogs</name>
    <message>
        <source>No shortcut is called that.</source>
        <translation>Kein Kürzel heißt so.</translation>
    </message>
    <message>
        <source>Shortcuts</source>
        <translation>Tastenkürzel</translation>
    </message>
    <message>
        <source>Search shortcuts</source>
        <translation>Kürzel suchen</translation>
    </message>
    <message>
        <source>Glossary</source>
        <translation>Glossar</translation>
    </message>
    <message>
        <source>Search terms</source>
        <translation>Begriffe suchen</translation>
    </message>
</context>
<context>
    <name>RunNumbers</name>
    <message>
        <source>%1 rows that a resume or a rollback undid are left out</source>
        <translation>%1 Zeilen, die ein Fortsetzen oder Zurückrollen ungültig gemacht hat, fehlen</translation>
    </message>
    <message>
        <source>the log is damaged: %1</source>
        <translation>das Protokoll ist beschädigt: %1</translation>
    </message>
</context>
<context>
    <name>RunState</name>
    <message>
        <source>Draft</source>
        <translation>Entwurf</translation>
    </message>
    <message>
        <source>Checking</source>
        <translation>Wird geprüft</translation>
    </message>
    <message>
        <source>Queued</source>
        <translation>Wartet</translation>
    </message>
    <message>
        <source>Starting</source>
        <translation>Startet</translation>
    </message>
    <message>
        <source>Running</source>
        <translation>Läuft</translation>
    </message>
    <message>
        <source>Saving</source>
        <translation>Speichert</translation>
    </message>
    <message>
        <source>Paused</source>
        <translation>Angehalten</translation>
    </message>
    <message>
        <source>Stopping</source>
        <translation>Wird beendet</translation>
    </message>
    <message>
        <source>Finished</source>
        <translation>Fertig</translation>
    </message>
    <message>
        <source>Stopped</source>
        <translation>Beendet</translation>
    </message>
    <message>
        <source>Failed</source>
        <translation>Fehlgeschlagen</translation>
    </message>
    <message>
        <source>Lost contact</source>
        <translation>Kontakt verloren</translation>
    </message>
</context>
<context>
    <name>RunTable</name>
    <message>
        <source>Every state</source>
        <translation>Jeder Zustand</translation>
    </message>
    <message>
        <source>Live</source>
        <translation>Im Gang</translation>
    </message>
    <message>
        <source>Finished</source>
        <translation>Fertig</translation>
    </message>
    <message>
        <source>Stopped</source>
        <translation>Beendet</translation>
    </message>
    <message>
        <source>Failed</source>
        <translation>Fehlgeschlagen</translation>
    </message>
    <message>
        <source>Lost contact</source>
        <translation>Kontakt verloren</translation>
    </message>
    <message>
        <source>Draft</source>
        <translation>Entwurf</translation>
    </message>
    <message>
        <source>Archived</source>
        <translation>Archiviert</translation>
    </message>
</context>
<context>
    <name>SweepData</name>
    <message>
        <source>final loss</source>
        <translation>Loss am Ende</translation>
    </message>
    <message>
        <source>no loss yet</source>
        <translation>noch kein Loss</translation>
    </message>
    <message>
        <source>loss %1</source>
        <translation>Loss %1</translation>
    </message>
</context>
<context>
    <name>TableCopy</name>
    <message>
        <source>Copy</source>
        <translation>Kopieren</translation>
    </message>
</context>
<context>
    <name>TasksPanel</name>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>Done in %1</source>
        <translation>Fertig in %1</translation>
    </message>
    <message>
        <source>Failed: %1</source>
        <translation>Fehlgeschlagen: %1</translation>
    </message>
</context>
<context>
    <name>numbers</name>
    <message>
        <source>tokens</source>
        <translation>Tokens</translation>
    </message>
    <message>
        <source>ms</source>
        <translation>ms</translation>
    </message>
    <message>
        <source>s</source>
        <translation>s</translation>
    </message>
    <message>
        <source>%1 min %2 s</source>
        <translation>%1 min %2 s</translation>
    </message>
    <message>
        <source>%1 h %2 min</source>
        <translation>%1 h %2 min</translation>
    </message>
    <message>
        <source>%1 d %2 h</source>
        <translation>%1 T %2 h</translation>
    </message>
    <message>
        <source>just now</source>
        <translation>eben</translation>
    </message>
    <message>
        <source>%1 s ago</source>
        <translation>vor %1 s</translation>
    </message>
    <message>
        <source>%1 min ago</source>
        <translation>vor %1 min</translation>
    </message>
    <message>
        <source>%1 h ago</source>
        <translation>vor %1 h</translation>
    </message>
    <message>
        <source>%1 days ago</source>
        <translation>vor %1 Tagen</translation>
    </message>
    <message>
        <source>%1 of %2</source>
        <translation>%1 von %2</translation>
    </message>
</context>
<context>
    <name>tessera::ui::ActionBar</name>
    <message>
        <source>More</source>
        <translation>Mehr</translation>
    </message>
    <message>
        <source>More actions</source>
        <translation>Weitere Handlungen</translation>
    </message>
</context>
<context>
    <name>tessera::ui::AlarmsPanel</name>
    <message>
        <source>Logged steps without a token that make an expert dead</source>
        <translation>Geloggte Schritte ohne Tokens, nach denen ein Experte tot ist</translation>
    </message>
    <message>
        <source>Times the mean load that make an expert hot</source>
        <translation>Vielfaches der mittleren Last, ab dem ein Experte heiß ist</translation>
    </message>
    <message>
        <source>Dead experts</source>
        <translation>Tote Experten</translation>
    </message>
    <message>
        <source>Hot experts</source>
        <translation>Heiße Experten</translation>
    </message>
    <message>
        <source>no token in</source>
        <translation>kein Token in</translation>
    </message>
    <message>
        <source>logged steps</source>
        <translation>Schritten</translation>
    </message>
    <message>
        <source>more than</source>
        <translation>mehr als</translation>
    </message>
    <message>
        <source>x the mean</source>
        <translation>x das Mittel</translation>
    </message>
    <message>
        <source>Dead experts: reading</source>
        <translation>Tote Experten: wird gelesen</translation>
    </message>
    <message>
        <source>Dead experts: %1</source>
        <translation>Tote Experten: %1</translation>
    </message>
    <message>
        <source>none</source>
        <translation>keine</translation>
    </message>
    <message>
        <source> (of %1 logged)</source>
        <translation> (von %1 geloggten)</translation>
    </message>
    <message>
        <source>Hot experts: %1</source>
        <translation>Heiße Experten: %1</translation>
    </message>
    <message>
        <source>%1 · expert %2</source>
        <translation>%1 · Experte %2</translation>
    </message>
    <message>
        <source>and %1 more</source>
        <translation>und %1 weitere</translation>
    </message>
</context>
<context>
    <name>tessera::ui::AlternativesModel</name>
    <message>
        <source>“%1” (taken)</source>
        <translation>„%1“ (genommen)</translation>
    </message>
    <message>
        <source>Token %1</source>
        <translation>Token %1</translation>
    </message>
    <message>
        <source>Token</source>
        <translation>Token</translation>
    </message>
    <message>
        <source>Probability</source>
        <translation>Wahrscheinlichkeit</translation>
    </message>
</context>
<context>
    <name>tessera::ui::Banner</name>
    <message>
        <source>Close this message</source>
        <translation>Diese Meldung schließen</translation>
    </message>
</context>
<context>
    <name>tessera::ui::BoardArea</name>
    <message>
        <source>This board has no charts.</source>
        <translation>Diese Tafel hat keine Diagramme.</translation>
    </message>
    <message>
        <source>Choose charts</source>
        <translation>Diagramme wählen</translation>
    </message>
    <message>
        <source>The board %1 was deleted</source>
        <translation>Die Tafel %1 wurde gelöscht</translation>
    </message>
</context>
<context>
    <name>tessera::ui::BoardDialog</name>
    <message>
        <source>Move up</source>
        <translation>Nach oben</translation>
    </message>
    <message>
        <source>Move down</source>
        <translation>Nach unten</translation>
    </message>
    <message>
        <source>Draw together</source>
        <translation>Zusammen zeichnen</translation>
    </message>
    <message>
        <source>New board</source>
        <translation>Neue Tafel</translation>
    </message>
    <message>
        <source>Board %1</source>
        <translation>Tafel %1</translation>
    </message>
    <message>
        <source>Name of the board</source>
        <translation>Name der Tafel</translation>
    </message>
    <message>
        <source>Charts of the board</source>
        <translation>Diagramme der Tafel</translation>
    </message>
    <message>
        <source>Space adds a chart to the board or hides it; Alt with an arrow, or the mouse, moves it.</source>
        <translation>Die Leertaste nimmt ein Diagramm in die Tafel auf oder verbirgt es; Alt mit einem Pfeil oder die Maus verschiebt es.</translation>
    </message>
    <message>
        <source>Makes one chart of those that are chosen, beside theirs</source>
        <translation>Macht aus den gewählten ein weiteres, gemeinsames Diagramm</translation>
    </message>
    <message>
        <source>Delete the board</source>
        <translation>Tafel löschen</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>Save the board</source>
        <translation>Tafel sichern</translation>
    </message>
    <message>
        <source>%1, unknown here</source>
        <translation>%1, hier unbekannt</translation>
    </message>
    <message>
        <source>It is the first</source>
        <translation>Es ist das erste</translation>
    </message>
    <message>
        <source>It is the last</source>
        <translation>Es ist das letzte</translation>
    </message>
    <message>
        <source>Choose two charts or more, with Shift or Ctrl</source>
        <translation>Zwei Diagramme oder mehr wählen, mit Umschalt oder Strg</translation>
    </message>
    <message>
        <source>The board needs a name</source>
        <translation>Die Tafel braucht einen Namen</translation>
    </message>
    <message>
        <source>There is a board with this name already</source>
        <translation>Es gibt schon eine Tafel mit diesem Namen</translation>
    </message>
</context>
<context>
    <name>tessera::ui::BoardPicker</name>
    <message>
        <source>Board of charts</source>
        <translation>Tafel der Diagramme</translation>
    </message>
    <message>
        <source>Which charts are shown: all, or a board of your own</source>
        <translation>Welche Diagramme gezeigt werden: alle oder eine eigene Tafel</translation>
    </message>
    <message>
        <source>Change this board</source>
        <translation>Diese Tafel ändern</translation>
    </message>
    <message>
        <source>Make a board of your own</source>
        <translation>Eine eigene Tafel anlegen</translation>
    </message>
    <message>
        <source>All charts</source>
        <translation>Alle Diagramme</translation>
    </message>
    <message>
        <source>All charts cannot be changed: make a board of your own</source>
        <translation>Alle Diagramme lassen sich nicht ändern: eine eigene Tafel anlegen</translation>
    </message>
</context>
<context>
    <name>tessera::ui::ChartGrid</name>
    <message>
        <source>Charts</source>
        <translation>Diagramme</translation>
    </message>
    <message>
        <source>Save every logged point</source>
        <translation>Jeden geloggten Punkt sichern</translation>
    </message>
    <message>
        <source>CSV (*.csv)</source>
        <translation>CSV (*.csv)</translation>
    </message>
</context>
<context>
    <name>tessera::ui::ChartPanel</name>
    <message>
        <source>Back to all charts</source>
        <translation>Zurück zu allen Diagrammen</translation>
    </message>
    <message>
        <source>Enlarge</source>
        <translation>Vergrößern</translation>
    </message>
    <message>
        <source>Show as table</source>
        <translation>Als Tabelle zeigen</translation>
    </message>
    <message>
        <source>Logarithmic axis</source>
        <translation>Logarithmische Achse</translation>
    </message>
    <message>
        <source>Save as picture (PNG)...</source>
        <translation>Als Bild sichern (PNG) ...</translation>
    </message>
    <message>
        <source>Save every logged point (CSV)...</source>
        <translation>Jeden geloggten Punkt sichern (CSV) ...</translation>
    </message>
    <message>
        <source>Show everything</source>
        <translation>Alles zeigen</translation>
    </message>
    <message>
        <source>Everything is shown.</source>
        <translation>Alles ist zu sehen.</translation>
    </message>
    <message>
        <source>  smoothed %1</source>
        <translation>  geglättet %1</translation>
    </message>
    <message>
        <source>%1 more</source>
        <translation>%1 weitere</translation>
    </message>
    <message>
        <source>Step %1: %2</source>
        <translation>Schritt %1: %2</translation>
    </message>
    <message>
        <source>Chart: %1</source>
        <translation>Diagramm: %1</translation>
    </message>
    <message>
        <source>log</source>
        <translation>log</translation>
    </message>
    <message>
        <source>Logarithmic axis (L)</source>
        <translation>Logarithmische Achse (L)</translation>
    </message>
    <message>
        <source>Logarithmic axis of %1</source>
        <translation>Logarithmische Achse von %1</translation>
    </message>
    <message>
        <source>Enlarge, table, export</source>
        <translation>Vergrößern, Tabelle, Export</translation>
    </message>
    <message>
        <source>Menu of %1</source>
        <translation>Menü von %1</translation>
    </message>
    <message>
        <source>training</source>
        <translation>Training</translation>
    </message>
    <message>
        <source>no value above 0 for a log axis</source>
        <translation>kein Wert über 0 für eine logarithmische Achse</translation>
    </message>
    <message>
        <source>No step has been logged yet.</source>
        <translation>Noch ist kein Schritt aufgezeichnet.</translation>
    </message>
</context>
<context>
    <name>tessera::ui::ChartTableDialog</name>
    <message>
        <source>%1 as a table</source>
        <translation>%1 als Tabelle</translation>
    </message>
    <message>
        <source>Every logged row of what is in view.</source>
        <translation>Jede geloggte Zeile des Ausschnitts.</translation>
    </message>
    <message>
        <source>Every logged row.</source>
        <translation>Jede geloggte Zeile.</translation>
    </message>
    <message>
        <source>%1 more rows are left out here: zoom in, or save all as CSV.</source>
        <translation>%1 weitere Zeilen fehlen hier: hineinzoomen oder alles als CSV sichern.</translation>
    </message>
</context>
<context>
    <name>tessera::ui::ChartTableModel</name>
    <message>
        <source>Run</source>
        <translation>Lauf</translation>
    </message>
    <message>
        <source>Step</source>
        <translation>Schritt</translation>
    </message>
    <message>
        <source>Tokens</source>
        <translation>Tokens</translation>
    </message>
    <message>
        <source>Time</source>
        <translation>Zeit</translation>
    </message>
</context>
<context>
    <name>tessera::ui::ChartToolbar</name>
    <message>
        <source>Mean</source>
        <translation>Mittel</translation>
    </message>
    <message>
        <source>Fit outliers</source>
        <translation>Ausreißer zeigen</translation>
    </message>
    <message>
        <source>Marks</source>
        <translation>Marken</translation>
    </message>
    <message>
        <source>Show everything</source>
        <translation>Alles zeigen</translation>
    </message>
    <message>
        <source>All charts</source>
        <translation>Alle Diagramme</translation>
    </message>
    <message>
        <source>Horizontal axis</source>
        <translation>Waagrechte Achse</translation>
    </message>
    <message>
        <source>What the horizontal axis counts</source>
        <translation>Was die waagrechte Achse zählt</translation>
    </message>
    <message>
        <source>Raw values</source>
        <translation>Rohe Werte</translation>
    </message>
    <message>
        <source>Smoothed over %1</source>
        <translation>Geglättet über %1</translation>
    </message>
    <message>
        <source>Smoothing</source>
        <translation>Glättung</translation>
    </message>
    <message>
        <source>A debiased exponential mean over about so many logged points, drawn over the raw values. Exact quantities such as the learning rate are never smoothed.</source>
        <translation>Ein exponentielles Mittel ohne Anfangsfehler über etwa so viele geloggte Punkte, über die rohen Werte gezeichnet. Genaue Größen wie die Lernrate werden nie geglättet.</translation>
    </message>
    <message>
        <source>Also the mean of the values behind each column of pixels</source>
        <translation>Auch das Mittel der Werte hinter jeder Spalte von Bildpunkten</translation>
    </message>
    <message>
        <source>On: the axis holds every value. Off: the outermost values may lie outside; arrows at the edge show where.</source>
        <translation>An: die Achse fasst jeden Wert. Aus: die äußersten Werte dürfen außerhalb liegen; Pfeile am Rand zeigen, wo.</translation>
    </message>
    <message>
        <source>Checkpoints, resumes, rollbacks, loss spikes, stages</source>
        <translation>Checkpoints, Fortsetzungen, Rücksprünge, Ausschläge des Loss, Stufen</translation>
    </message>
    <message>
        <source>Zoom</source>
        <translation>Zoom</translation>
    </message>
    <message>
        <source>Dragging zooms into a box; Shift pans meanwhile</source>
        <translation>Ziehen zoomt in ein Rechteck; mit Umschalt wird geschoben</translation>
    </message>
    <message>
        <source>Pan</source>
        <translation>Schieben</translation>
    </message>
    <message>
        <source>Dragging pans; Shift zooms into a box meanwhile</source>
        <translation>Ziehen schiebt; mit Umschalt wird in ein Rechteck gezoomt</translation>
    </message>
    <message>
        <source>Ends zooming in all charts (0, or a double click in a chart)</source>
        <translation>Beendet das Zoomen in allen Diagrammen (0 oder ein Doppelklick in ein Diagramm)</translation>
    </message>
    <message>
        <source>Back from the enlarged chart (Esc)</source>
        <translation>Zurück vom vergrößerten Diagramm (Esc)</translation>
    </message>
    <message>
        <source>Find a chart</source>
        <translation>Diagramm suchen</translation>
    </message>
</context>
<context>
    <name>tessera::ui::ChartsTab</name>
    <message>
        <source>Save everything that was logged</source>
        <translation>Alles Geloggte sichern</translation>
    </message>
    <message>
        <source>Saving %1</source>
        <translation>%1 wird gesichert</translation>
    </message>
    <message>
        <source>Saved %1</source>
        <translation>%1 gesichert</translation>
    </message>
    <message>
        <source>With the curves of %1, which it was forked from</source>
        <translation>Mit den Kurven von %1, wovon er abzweigt</translation>
    </message>
    <message>
        <source>CSV, one row a step (*.csv)</source>
        <translation>CSV, eine Zeile je Schritt (*.csv)</translation>
    </message>
    <message>
        <source>Every event, as tessera watch --json (*.jsonl)</source>
        <translation>Jedes Ereignis, wie tessera watch --json (*.jsonl)</translation>
    </message>
    <message>
        <source>Saved %1: %2</source>
        <translation>%1 gespeichert: %2</translation>
    </message>
</context>
<context>
    <name>tessera::ui::ChatEngine</name>
    <message>
        <source>%1 could not be started: %2. Is the program installed beside the studio?</source>
        <translation>%1 ließ sich nicht starten: %2. Liegt das Programm neben dem Studio?</translation>
    </message>
    <message>
        <source>The chat process was ended by signal %1</source>
        <translation>Der Chat-Prozess wurde durch Signal %1 beendet</translation>
    </message>
    <message>
        <source>The chat process ended with code %1</source>
        <translation>Der Chat-Prozess endete mit Code %1</translation>
    </message>
    <message>
        <source> (often: too little memory)</source>
        <translation> (oft: zu wenig Speicher)</translation>
    </message>
</context>
<context>
    <name>tessera::ui::ChatInspector</name>
    <message>
        <source>Sampling</source>
        <translation>Auswahl</translation>
    </message>
    <message>
        <source>Flattens or sharpens the probabilities before a token is drawn. 0 always takes the likeliest, 1 is as the model says.</source>
        <translation>Flacht die Wahrscheinlichkeiten ab oder schärft sie, bevor ein Token gezogen wird. 0 nimmt immer das wahrscheinlichste, 1 ist, wie das Modell es sagt.</translation>
    </message>
    <message>
        <source>Only the likeliest tokens that together have this probability. 1: all.</source>
        <translation>Nur die wahrscheinlichsten Tokens, die zusammen diese Wahrscheinlichkeit haben. 1: alle.</translation>
    </message>
    <message>
        <source>Only this many of the likeliest tokens. 0: all.</source>
        <translation>Nur so viele der wahrscheinlichsten Tokens. 0: alle.</translation>
    </message>
    <message>
        <source>Only tokens with at least this share of the likeliest one&apos;s probability.</source>
        <translation>Nur Tokens mit mindestens diesem Anteil der Wahrscheinlichkeit des wahrscheinlichsten.</translation>
    </message>
    <message>
        <source>Makes tokens that were used already less likely. 1: no penalty.</source>
        <translation>Macht Tokens, die schon vorkamen, weniger wahrscheinlich. 1: keine Strafe.</translation>
    </message>
    <message>
        <source>The longest answer, in tokens.</source>
        <translation>Die längste Antwort, in Tokens.</translation>
    </message>
    <message>
        <source>The same seed and conversation give the same answer, token by token.</source>
        <translation>Derselbe Startwert und dasselbe Gespräch geben dieselbe Antwort, Token für Token.</translation>
    </message>
    <message>
        <source>Temperature</source>
        <translation>Temperatur</translation>
    </message>
    <message>
        <source>Top-p</source>
        <translation>Top-p</translation>
    </message>
    <message>
        <source>Top-k</source>
        <translation>Top-k</translation>
    </message>
    <message>
        <source>Min-p</source>
        <translation>Min-p</translation>
    </message>
    <message>
        <source>Repetition penalty</source>
        <translation>Wiederholungsstrafe</translation>
    </message>
    <message>
        <source>Most tokens</source>
        <translation>Höchstens Tokens</translation>
    </message>
    <message>
        <source>Seed</source>
        <translation>Startwert</translation>
    </message>
    <message>
        <source>Reset sampling</source>
        <translation>Auswahl zurücksetzen</translation>
    </message>
    <message>
        <source>Token</source>
        <translation>Token</translation>
    </message>
    <message>
        <source>Switch to Tokens above the messages and click one: here is what else it might have been.</source>
        <translation>Über den Nachrichten auf Tokens umschalten und eines anklicken: hier steht, was es sonst hätte sein können.</translation>
    </message>
    <message>
        <source>What the token might have been</source>
        <translation>Was das Token hätte sein können</translation>
    </message>
    <message>
        <source>Regrow from this</source>
        <translation>Von hier neu schreiben</translation>
    </message>
    <message>
        <source>Experts</source>
        <translation>Experten</translation>
    </message>
    <message>
        <source>Copy as table</source>
        <translation>Als Tabelle kopieren</translation>
    </message>
    <message>
        <source>What was read without a record is read once more when this is on.</source>
        <translation>Was ohne Aufzeichnung gelesen wurde, wird noch einmal gelesen, wenn dies an ist.</translation>
    </message>
    <message>
        <source>Pick a token to see the experts that read it, layer by layer.</source>
        <translation>Ein Token wählen, um Schicht für Schicht die Experten zu sehen, die es gelesen haben.</translation>
    </message>
    <message>
        <source>Select a part of an answer to compare what it used with the whole conversation.</source>
        <translation>Einen Teil einer Antwort auswählen, um zu vergleichen, was er nutzte und was das ganze Gespräch.</translation>
    </message>
    <message>
        <source>“%1” · token %2 of %3 · probability %4</source>
        <translation>„%1“ · Token %2 von %3 · Wahrscheinlichkeit %4</translation>
    </message>
    <message>
        <source>Layer by layer, the heaviest gate weight first:</source>
        <translation>Schicht für Schicht, das schwerste Gate-Gewicht zuerst:</translation>
    </message>
    <message>
        <source>The experts of this token were not recorded.</source>
        <translation>Die Experten dieses Tokens wurden nicht aufgezeichnet.</translation>
    </message>
    <message>
        <source>The selection (tokens: %1) against the whole conversation: each cell is an expert, rows are layers, the middle of the colours is as often as everywhere.</source>
        <translation>Die Auswahl (Tokens: %1) gegen das ganze Gespräch: jede Zelle ist ein Experte, Zeilen sind Schichten, die Mitte der Farben heißt: so oft wie überall.</translation>
    </message>
    <message>
        <source>Layer %1, expert %2: %3, everywhere %4</source>
        <translation>Schicht %1, Experte %2: %3, überall %4</translation>
    </message>
    <message>
        <source>An answer is being written</source>
        <translation>Eine Antwort wird geschrieben</translation>
    </message>
    <message>
        <source>Pick a token from the list that was not taken</source>
        <translation>Aus der Liste ein Token wählen, das nicht genommen wurde</translation>
    </message>
    <message>
        <source>New seed each time</source>
        <translation>Jedes Mal ein neuer Startwert</translation>
    </message>
    <message>
        <source>Record experts of new answers</source>
        <translation>Experten neuer Antworten aufzeichnen</translation>
    </message>
</context>
<context>
    <name>tessera::ui::ChatPage</name>
    <message>
        <source>Exported to %1</source>
        <translation>Nach %1 exportiert</translation>
    </message>
    <message>
        <source>%1 has no such checkpoint to talk to</source>
        <translation>%1 hat keinen solchen Checkpoint zum Reden</translation>
    </message>
    <message>
        <source>A run trains on this machine: chat uses %1 of %2 threads, at low priority.</source>
        <translation>Auf diesem Rechner trainiert ein Lauf: das Gespräch nutzt %1 von %2 Threads, mit niedriger Priorität.</translation>
    </message>
    <message>
        <source>There is no checkpoint to talk to yet.</source>
        <translation>Es gibt noch keinen Checkpoint zum Reden.</translation>
    </message>
    <message>
        <source>Looking for checkpoints …</source>
        <translation>Checkpoints werden gesucht …</translation>
    </message>
    <message>
        <source>Try the demo</source>
        <translation>Demo ausprobieren</translation>
    </message>
    <message>
        <source>%1 is ready to talk.</source>
        <translation>%1 ist bereit.</translation>
    </message>
    <message>
        <source>%1 has only read text so far: it goes on with what you write.</source>
        <translation>%1 hat bisher nur Text gelesen: es setzt fort, was Sie schreiben.</translation>
    </message>
    <message>
        <source>Write a message</source>
        <translation>Nachricht schreiben</translation>
    </message>
    <message>
        <source>Loading %1 …</source>
        <translation>%1 wird geladen …</translation>
    </message>
    <message>
        <source>Say something to %1, or pick another checkpoint above.</source>
        <translation>Etwas zu %1 sagen oder oben einen anderen Checkpoint wählen.</translation>
    </message>
    <message>
        <source>Load it now</source>
        <translation>Jetzt laden</translation>
    </message>
    <message>
        <source>loads with the first message</source>
        <translation>lädt mit der ersten Nachricht</translation>
    </message>
    <message>
        <source>is being loaded</source>
        <translation>wird geladen</translation>
    </message>
    <message>
        <source>%1 parameters, %2 of them for each token; loaded in %3 on %4</source>
        <translation>%1 Parameter, davon %2 für jedes Token; geladen in %3 auf %4</translation>
    </message>
    <message>
        <source>Compare with …</source>
        <translation>Vergleich …</translation>
    </message>
    <message>
        <source>Pick a checkpoint above first</source>
        <translation>Zuerst oben einen Checkpoint wählen</translation>
    </message>
    <message>
        <source>This model is dense: it has no experts.</source>
        <translation>Dieses Modell ist dicht: es hat keine Experten.</translation>
    </message>
    <message>
        <source>Restart</source>
        <translation>Neu starten</translation>
    </message>
    <message>
        <source>Loading %1</source>
        <translation>%1 wird geladen</translation>
    </message>
    <message>
        <source>Removed the chat</source>
        <translation>Gespräch entfernt</translation>
    </message>
    <message>
        <source>There is nothing to export yet</source>
        <translation>Es gibt noch nichts zu exportieren</translation>
    </message>
    <message>
        <source>Export the conversation</source>
        <translation>Gespräch exportieren</translation>
    </message>
    <message>
        <source>Markdown (*.md)</source>
        <translation>Markdown (*.md)</translation>
    </message>
    <message>
        <source>JSON with all branches (*.json)</source>
        <translation>JSON mit allen Zweigen (*.json)</translation>
    </message>
    <message>
        <source>A folder with a model</source>
        <translation>Ordner mit einem Modell</translation>
    </message>
    <message>
        <source>System prompt: what the model is told before everything else</source>
        <translation>Systemprompt: was dem Modell vor allem anderen gesagt wird</translation>
    </message>
    <message>
        <source>System prompt</source>
        <translation>Systemprompt</translation>
    </message>
    <message>
        <source>The checkpoint that answers</source>
        <translation>Der Checkpoint, der antwortet</translation>
    </message>
    <message>
        <source>A second checkpoint that answers beside it</source>
        <translation>Ein zweiter Checkpoint, der daneben antwortet</translation>
    </message>
    <message>
        <source>Tokens</source>
        <translation>Tokens</translation>
    </message>
    <message>
        <source>Show answers as tokens, coloured by their probability</source>
        <translation>Antworten als Tokens zeigen, nach ihrer Wahrscheinlichkeit gefärbt</translation>
    </message>
    <message>
        <source>System</source>
        <translation>System</translation>
    </message>
    <message>
        <source>Show the system prompt</source>
        <translation>Systemprompt zeigen</translation>
    </message>
    <message>
        <source>Messages</source>
        <translation>Nachrichten</translation>
    </message>
    <message>
        <source>Messages of the second checkpoint</source>
        <translation>Nachrichten des zweiten Checkpoints</translation>
    </message>
    <message>
        <source>New chat</source>
        <translation>Neues Gespräch</translation>
    </message>
    <message>
        <source>Stop the answer</source>
        <translation>Antwort anhalten</translation>
    </message>
    <message>
        <source>Regenerate the last answer</source>
        <translation>Letzte Antwort neu erzeugen</translation>
    </message>
    <message>
        <source>Edit the last message</source>
        <translation>Letzte Nachricht bearbeiten</translation>
    </message>
    <message>
        <source>Answer beside another checkpoint</source>
        <translation>Neben einem anderen Checkpoint antworten</translation>
    </message>
    <message>
        <source>Show or hide tokens</source>
        <translation>Tokens ein- oder ausblenden</translation>
    </message>
    <message>
        <source>An answer is being written</source>
        <translation>Eine Antwort wird geschrieben</translation>
    </message>
    <message>
        <source>The less likely a token was, the stronger its colour. Click one, or select several, to look into them in the inspector.</source>
        <translation>Je unwahrscheinlicher ein Token war, desto stärker seine Farbe. Eines anklicken oder mehrere auswählen, um sie im Inspektor anzusehen.</translation>
    </message>
    <message>
        <source>%1 is at work: it can be talked to once it has saved a checkpoint.</source>
        <translation>%1 ist an der Arbeit: Chatten geht, sobald ein Checkpoint gespeichert ist.</translation>
    </message>
    <message>
        <source>Watch it</source>
        <translation>Zuschauen</translation>
    </message>
    <message>
        <source>Chat with %1: %2</source>
        <translation>Chat mit %1: %2</translation>
    </message>
    <message>
        <source>The conversation has %1 tokens, and %2 reads fewer than %3: there is no room for another message.</source>
        <translation>Das Gespräch hat %1 Tokens, und %2 liest weniger als %3: Für eine weitere Nachricht ist kein Platz.</translation>
    </message>
    <message>
        <source>The conversation with your message has %1 tokens, and %2 reads fewer than %3. Shorten the message, or send it in a new chat.</source>
        <translation>Das Gespräch hat mit Ihrer Nachricht %1 Tokens, und %2 liest weniger als %3. Kürzen Sie die Nachricht, oder senden Sie sie in einem neuen Chat.</translation>
    </message>
    <message>
        <source>Continue the last answer</source>
        <translation>Letzte Antwort fortsetzen</translation>
    </message>
    <message>
        <source>Show what the model reads</source>
        <translation>Zeigen, was das Modell liest</translation>
    </message>
    <message>
        <source>Nothing is said yet: write a message, and it stands here.</source>
        <translation>Noch ist nichts gesagt: eine geschriebene Nachricht steht hier.</translation>
    </message>
    <message>
        <source>No model is loaded: choose a checkpoint at the top of the page.</source>
        <translation>Kein Modell ist geladen: oben auf der Seite einen Checkpoint wählen.</translation>
    </message>
</context>
<context>
    <name>tessera::ui::ChatStore</name>
    <message>
        <source>cannot be written: %1</source>
        <translation>kann nicht geschrieben werden: %1</translation>
    </message>
    <message>
        <source>the folder of conversations cannot be made</source>
        <translation>der Ordner der Gespräche lässt sich nicht anlegen</translation>
    </message>
    <message>
        <source>cannot be read: %1</source>
        <translation>kann nicht gelesen werden: %1</translation>
    </message>
    <message>
        <source>cannot be moved</source>
        <translation>lässt sich nicht verschieben</translation>
    </message>
</context>
<context>
    <name>tessera::ui::ChatTalk</name>
    <message>
        <source>Reading the conversation: %1 of %2 tokens</source>
        <translation>Das Gespräch wird gelesen: %1 von %2 Tokens</translation>
    </message>
    <message>
        <source>Writing …</source>
        <translation>Schreibt …</translation>
    </message>
    <message>
        <source>No checkpoint is picked</source>
        <translation>Kein Checkpoint ist gewählt</translation>
    </message>
    <message>
        <source>Reading the conversation …</source>
        <translation>Das Gespräch wird gelesen …</translation>
    </message>
    <message>
        <source>Waiting for %1 to be loaded …</source>
        <translation>Wartet, bis %1 geladen ist …</translation>
    </message>
</context>
<context>
    <name>tessera::ui::CheckpointPicker</name>
    <message>
        <source>Search runs</source>
        <translation>Läufe suchen</translation>
    </message>
    <message>
        <source>Answer alone again</source>
        <translation>Wieder allein antworten</translation>
    </message>
    <message>
        <source>Open a folder …</source>
        <translation>Ordner öffnen …</translation>
    </message>
    <message>
        <source>Runs and their checkpoints</source>
        <translation>Läufe und ihre Checkpoints</translation>
    </message>
    <message>
        <source>Pick a checkpoint</source>
        <translation>Checkpoint wählen</translation>
    </message>
    <message>
        <source>trains now</source>
        <translation>trainiert gerade</translation>
    </message>
    <message>
        <source>newest</source>
        <translation>neuester</translation>
    </message>
    <message>
        <source>answers beside</source>
        <translation>antwortet daneben</translation>
    </message>
    <message>
        <source>This checkpoint answers beside this one already</source>
        <translation>Dieser Checkpoint antwortet schon daneben</translation>
    </message>
    <message>
        <source>removed</source>
        <translation>entfernt</translation>
    </message>
    <message numerus="yes">
        <source>Show %n newer checkpoints</source>
        <translation>
            <numerusform>%n neueren Checkpoint zeigen</numerusform>
            <numerusform>%n neuere Checkpoints zeigen</numerusform>
        </translation>
    </message>
    <message>
        <source>%1, %2 steps</source>
        <translation>%1, %2 Schritte</translation>
    </message>
    <message>
        <source>%1 steps</source>
        <translation>%1 Schritte</translation>
    </message>
</context>
<context>
    <name>tessera::ui::CheckpointsModel</name>
    <message>
        <source>Tokens</source>
        <translation>Tokens</translation>
    </message>
    <message>
        <source>Size</source>
        <translation>Größe</translation>
    </message>
    <message>
        <source>Took</source>
        <translation>Dauerte</translation>
    </message>
    <message>
        <source>When</source>
        <translation>Wann</translation>
    </message>
    <message>
        <source>Folder</source>
        <translation>Ordner</translation>
    </message>
    <message>
        <source>Steps</source>
        <translation>Schritte</translation>
    </message>
</context>
<context>
    <name>tessera::ui::CheckpointsTab</name>
    <message>
        <source>Save now</source>
        <translation>Jetzt speichern</translation>
    </message>
    <message>
        <source>The run saves a checkpoint between two steps, and goes on</source>
        <translation>Der Lauf speichert zwischen zwei Schritten einen Checkpoint und läuft weiter</translation>
    </message>
    <message>
        <source>The run is not running.</source>
        <translation>Der Lauf läuft nicht.</translation>
    </message>
    <message>
        <source>%1 saves a checkpoint after this step</source>
        <translation>%1 speichert nach diesem Schritt einen Checkpoint</translation>
    </message>
    <message>
        <source>Open in Chat</source>
        <translation>Im Chat öffnen</translation>
    </message>
    <message>
        <source>Resume as a fork</source>
        <translation>Als Abzweig fortsetzen</translation>
    </message>
    <message>
        <source>Export...</source>
        <translation>Exportieren ...</translation>
    </message>
    <message>
        <source>Checkpoints</source>
        <translation>Checkpoints</translation>
    </message>
    <message>
        <source>No checkpoint yet: checkpoint.every_steps says how often a run saves itself.</source>
        <translation>Noch kein Checkpoint: checkpoint.every_steps sagt, wie oft ein Lauf sich speichert.</translation>
    </message>
    <message>
        <source>Save one now</source>
        <translation>Jetzt einen sichern</translation>
    </message>
    <message>
        <source>A new run from this checkpoint, with settings you change first</source>
        <translation>Ein neuer Lauf ab diesem Checkpoint, mit Einstellungen, die Sie vorher ändern</translation>
    </message>
    <message>
        <source>Write it as a released folder, with config.json, for other programs</source>
        <translation>Als Ordner zum Weitergeben schreiben, mit config.json, für andere Programme</translation>
    </message>
    <message>
        <source>Select a checkpoint.</source>
        <translation>Einen Checkpoint wählen.</translation>
    </message>
    <message>
        <source>None has been saved.</source>
        <translation>Keiner wurde gesichert.</translation>
    </message>
    <message>
        <source>Export to a new folder</source>
        <translation>In einen neuen Ordner exportieren</translation>
    </message>
    <message>
        <source>Export</source>
        <translation>Exportieren</translation>
    </message>
    <message>
        <source>Exporting %1</source>
        <translation>%1 wird exportiert</translation>
    </message>
    <message>
        <source>Exported to %1</source>
        <translation>Nach %1 exportiert</translation>
    </message>
    <message>
        <source>The export was cancelled.</source>
        <translation>Der Export wurde abgebrochen.</translation>
    </message>
    <message>
        <source>%1 cannot be started: %2</source>
        <translation>%1 lässt sich nicht starten: %2</translation>
    </message>
    <message>
        <source>New folder:</source>
        <translation>Neuer Ordner:</translation>
    </message>
    <message>
        <source>Folders and files (*)</source>
        <translation>Ordner und Dateien (*)</translation>
    </message>
    <message>
        <source>The export failed: %1</source>
        <translation>Der Export ist gescheitert: %1</translation>
    </message>
</context>
<context>
    <name>tessera::ui::ColumnDialog</name>
    <message>
        <source>Find a column</source>
        <translation>Spalte suchen</translation>
    </message>
    <message>
        <source>Columns of the table</source>
        <translation>Spalten der Tabelle</translation>
    </message>
    <message>
        <source>Space shows or hides the column that is chosen here.</source>
        <translation>Die Leertaste zeigt oder verbirgt die hier gewählte Spalte.</translation>
    </message>
    <message>
        <source>Columns</source>
        <translation>Spalten</translation>
    </message>
    <message>
        <source>Metrics, their last value</source>
        <translation>Messgrößen, ihr letzter Wert</translation>
    </message>
    <message>
        <source>Settings</source>
        <translation>Einstellungen</translation>
    </message>
    <message>
        <source>Settings: no run has been read yet</source>
        <translation>Einstellungen: Noch kein Lauf wurde gelesen</translation>
    </message>
    <message>
        <source>Every run has these</source>
        <translation>Hat jeder Lauf</translation>
    </message>
</context>
<context>
    <name>tessera::ui::CompareView</name>
    <message>
        <source>Key</source>
        <translation>Schlüssel</translation>
    </message>
    <message>
        <source>differs from the first run</source>
        <translation>weicht vom ersten Lauf ab</translation>
    </message>
    <message>
        <source>Quantity</source>
        <translation>Größe</translation>
    </message>
    <message>
        <source>the best</source>
        <translation>das beste</translation>
    </message>
    <message>
        <source>Choose two runs or more, and see their curves, what differs in their configuration and how they ended.</source>
        <translation>Zwei oder mehr Läufe wählen, um ihre Kurven, Unterschiede und Endwerte zu sehen.</translation>
    </message>
    <message>
        <source>Choose runs</source>
        <translation>Läufe wählen</translation>
    </message>
    <message>
        <source>Saved %1</source>
        <translation>%1 gesichert</translation>
    </message>
    <message>
        <source>Tables of the comparison</source>
        <translation>Tabellen des Vergleichs</translation>
    </message>
    <message>
        <source>The runs are configured alike.</source>
        <translation>Die Läufe sind gleich konfiguriert.</translation>
    </message>
    <message>
        <source>What differs</source>
        <translation>Unterschiede</translation>
    </message>
    <message>
        <source>Final numbers</source>
        <translation>Endwerte</translation>
    </message>
    <message>
        <source>Copy this table</source>
        <translation>Tabelle kopieren</translation>
    </message>
    <message>
        <source>The table is copied</source>
        <translation>Die Tabelle ist kopiert</translation>
    </message>
    <message>
        <source>Take %1 out</source>
        <translation>%1 herausnehmen</translation>
    </message>
    <message>
        <source>Add runs</source>
        <translation>Läufe hinzufügen</translation>
    </message>
    <message>
        <source>The first %1 of %2 runs are compared</source>
        <translation>Die ersten %1 von %2 Läufen werden verglichen</translation>
    </message>
</context>
<context>
    <name>tessera::ui::ComparisonModel</name>
    <message>
        <source>not set</source>
        <translation>nicht gesetzt</translation>
    </message>
    <message>
        <source>not there</source>
        <translation>nicht da</translation>
    </message>
    <message>
        <source>Validation, %1</source>
        <translation>Validierung, %1</translation>
    </message>
    <message>
        <source>The last validation loss on this source</source>
        <translation>Der letzte Validierungs-Loss auf dieser Quelle</translation>
    </message>
    <message>
        <source>State</source>
        <translation>Zustand</translation>
    </message>
    <message>
        <source>Steps</source>
        <translation>Schritte</translation>
    </message>
    <message>
        <source>Steps trained</source>
        <translation>Trainierte Schritte</translation>
    </message>
    <message>
        <source>Tokens</source>
        <translation>Tokens</translation>
    </message>
    <message>
        <source>Tokens trained</source>
        <translation>Trainierte Tokens</translation>
    </message>
    <message>
        <source>Loss, last</source>
        <translation>Loss, zuletzt</translation>
    </message>
    <message>
        <source>Of the last logged step</source>
        <translation>Des letzten geloggten Schritts</translation>
    </message>
    <message>
        <source>Loss, lowest</source>
        <translation>Loss, niedrigster</translation>
    </message>
    <message>
        <source>The lowest of any logged step</source>
        <translation>Der niedrigste aller geloggten Schritte</translation>
    </message>
    <message>
        <source>Validation, last</source>
        <translation>Validierung, zuletzt</translation>
    </message>
    <message>
        <source>By the weights of the mixture</source>
        <translation>Nach den Gewichten der Mischung</translation>
    </message>
    <message>
        <source>Validation, lowest</source>
        <translation>Validierung, niedrigste</translation>
    </message>
    <message>
        <source>Tokens per second, mean</source>
        <translation>Tokens je Sekunde, Mittel</translation>
    </message>
    <message>
        <source>Over all logged steps</source>
        <translation>Über alle geloggten Schritte</translation>
    </message>
    <message>
        <source>MFU, mean</source>
        <translation>MFU, Mittel</translation>
    </message>
    <message>
        <source>Model FLOPs utilisation over all logged steps</source>
        <translation>Ausnutzung der Modell-FLOPs über alle geloggten Schritte</translation>
    </message>
    <message>
        <source>Time in steps</source>
        <translation>Zeit in Schritten</translation>
    </message>
    <message>
        <source>From tokens and speed; validation, saving and breaks are not in it</source>
        <translation>Aus Tokens und Tempo; ohne Validierung, Speichern und Pausen</translation>
    </message>
    <message>
        <source>Memory, most</source>
        <translation>Speicher, höchstens</translation>
    </message>
    <message>
        <source>The largest of any logged step</source>
        <translation>Der größte aller geloggten Schritte</translation>
    </message>
    <message>
        <source>Gradient norm, largest</source>
        <translation>Gradientennorm, größte</translation>
    </message>
    <message>
        <source>Before clipping</source>
        <translation>Vor dem Kappen</translation>
    </message>
    <message>
        <source>MaxVio, last</source>
        <translation>MaxVio, zuletzt</translation>
    </message>
    <message>
        <source>Of the worst layer: its largest load over its mean load, less 1</source>
        <translation>Der schlechtesten Schicht: größte Last geteilt durch mittlere Last, minus 1</translation>
    </message>
    <message>
        <source>Spikes</source>
        <translation>Ausschläge</translation>
    </message>
    <message>
        <source>Losses far above the usual</source>
        <translation>Loss weit über dem Üblichen</translation>
    </message>
</context>
<context>
    <name>tessera::ui::Composer</name>
    <message>
        <source>Send</source>
        <translation>Senden</translation>
    </message>
    <message>
        <source>Enter sends · Shift+Enter begins a line</source>
        <translation>Eingabe sendet · Umschalt+Eingabe beginnt eine Zeile</translation>
    </message>
    <message>
        <source>Write a message</source>
        <translation>Nachricht schreiben</translation>
    </message>
    <message>
        <source>Message</source>
        <translation>Nachricht</translation>
    </message>
    <message>
        <source>Stop</source>
        <translation>Stopp</translation>
    </message>
    <message>
        <source>Write a message first</source>
        <translation>Zuerst eine Nachricht schreiben</translation>
    </message>
    <message>
        <source>Go on in a new chat</source>
        <translation>In einem neuen Chat weitermachen</translation>
    </message>
    <message>
        <source>Send it in a new chat</source>
        <translation>In einem neuen Chat senden</translation>
    </message>
</context>
<context>
    <name>tessera::ui::ConfigurePage</name>
    <message>
        <source>Choose a preset to begin with, or open a spec of your own.</source>
        <translation>Eine Vorlage wählen oder eine eigene Spec öffnen.</translation>
    </message>
    <message>
        <source>Launch</source>
        <translation>Starten</translation>
    </message>
    <message>
        <source>Enqueue</source>
        <translation>Einreihen</translation>
    </message>
    <message>
        <source>Save as spec…</source>
        <translation>Als Spec sichern …</translation>
    </message>
    <message>
        <source>Open spec file…</source>
        <translation>Spec-Datei öffnen …</translation>
    </message>
    <message>
        <source>Find a setting</source>
        <translation>Einstellung suchen</translation>
    </message>
    <message>
        <source>Write every key into the text</source>
        <translation>Jeden Schlüssel in den Text schreiben</translation>
    </message>
    <message>
        <source>Preset</source>
        <translation>Vorlage</translation>
    </message>
    <message>
        <source>Choose a preset</source>
        <translation>Vorlage wählen</translation>
    </message>
    <message>
        <source>Open spec file</source>
        <translation>Spec-Datei öffnen</translation>
    </message>
    <message>
        <source>Save as spec</source>
        <translation>Als Spec sichern</translation>
    </message>
    <message>
        <source>Basic</source>
        <translation>Einfach</translation>
    </message>
    <message>
        <source>All</source>
        <translation>Alle</translation>
    </message>
    <message>
        <source>The settings that most runs need</source>
        <translation>Die Einstellungen, die die meisten Läufe brauchen</translation>
    </message>
    <message>
        <source>Every key of the spec</source>
        <translation>Jeder Schlüssel der Spec</translation>
    </message>
    <message>
        <source>The same by command line</source>
        <translation>Dasselbe als Befehl</translation>
    </message>
    <message>
        <source>Copy the command</source>
        <translation>Befehl kopieren</translation>
    </message>
    <message>
        <source>Saved as %1</source>
        <translation>Gesichert als %1</translation>
    </message>
    <message>
        <source>This machine could not be measured: %1</source>
        <translation>Dieser Rechner ließ sich nicht messen: %1</translation>
    </message>
    <message>
        <source>clone of %1</source>
        <translation>Kopie von %1</translation>
    </message>
    <message>
        <source>fork of %1 at its newest checkpoint</source>
        <translation>Abzweig von %1 am neuesten Checkpoint</translation>
    </message>
    <message>
        <source>unchanged</source>
        <translation>unverändert</translation>
    </message>
    <message>
        <source>1 setting changed</source>
        <translation>1 Einstellung geändert</translation>
    </message>
    <message>
        <source>%1 settings changed</source>
        <translation>%1 Einstellungen geändert</translation>
    </message>
    <message>
        <source>Launch fork</source>
        <translation>Abzweig starten</translation>
    </message>
    <message>
        <source>Choose a preset first</source>
        <translation>Zuerst eine Vorlage wählen</translation>
    </message>
    <message>
        <source>It is being started</source>
        <translation>Wird gerade gestartet</translation>
    </message>
    <message>
        <source>The plan is being made</source>
        <translation>Der Plan wird gemacht</translation>
    </message>
    <message>
        <source>There are problems; the plan at the right names them</source>
        <translation>Es gibt Probleme; der Plan rechts nennt sie</translation>
    </message>
    <message>
        <source>The program `tessera` was not found beside this one</source>
        <translation>Das Programm `tessera` wurde neben diesem nicht gefunden</translation>
    </message>
    <message>
        <source>Try again</source>
        <translation>Noch einmal versuchen</translation>
    </message>
    <message>
        <source>%1 waits in the queue</source>
        <translation>%1 wartet in der Schlange</translation>
    </message>
    <message>
        <source>Specs (*.toml)</source>
        <translation>Specs (*.toml)</translation>
    </message>
    <message>
        <source>There is no run %1.</source>
        <translation>Es gibt keinen Lauf %1.</translation>
    </message>
    <message>
        <source>The command is in the clipboard</source>
        <translation>Der Befehl ist in der Zwischenablage</translation>
    </message>
    <message>
        <source>The text cannot be read</source>
        <translation>Der Text ist nicht lesbar</translation>
    </message>
    <message>
        <source>Plan: %1</source>
        <translation>Plan: %1</translation>
    </message>
    <message>
        <source>%1 of %2 steps are left</source>
        <translation>%1 von %2 Schritten übrig</translation>
    </message>
    <message>
        <source>Add the source %1</source>
        <translation>Quelle %1 hinzufügen</translation>
    </message>
    <message>
        <source>%1 is a source of this draft now</source>
        <translation>%1 ist jetzt eine Quelle dieses Entwurfs</translation>
    </message>
    <message>
        <source>Look at the data</source>
        <translation>Daten ansehen</translation>
    </message>
    <message>
        <source>fork of %1 after step %2</source>
        <translation>Abzweig von %1 nach Schritt %2</translation>
    </message>
    <message>
        <source>The start was cancelled; nothing of it is left</source>
        <translation>Der Start wurde abgebrochen; nichts von ihm ist übrig</translation>
    </message>
    <message>
        <source>Starting %1 on %2</source>
        <translation>%1 wird gestartet: %2</translation>
    </message>
    <message>
        <source>Starts when its place is free and the runs before it have ended</source>
        <translation>Startet, wenn sein Ort frei ist und die Läufe davor beendet sind</translation>
    </message>
    <message>
        <source>The file of its script cannot be written: %1</source>
        <translation>Die Datei mit seinem Skript kann nicht geschrieben werden: %1</translation>
    </message>
    <message>
        <source>No command: %1</source>
        <translation>Kein Befehl: %1</translation>
    </message>
</context>
<context>
    <name>tessera::ui::ContextMeter</name>
    <message>
        <source>Tokens of the conversation and your draft, of what the model has room for</source>
        <translation>Tokens des Gesprächs und Ihres Entwurfs, von denen, für die das Modell Platz hat</translation>
    </message>
    <message>
        <source>context: no model yet</source>
        <translation>Kontext: noch kein Modell</translation>
    </message>
    <message>
        <source>%1 of %2 tokens</source>
        <translation>%1 von %2 Tokens</translation>
    </message>
    <message>
        <source>Context: %1</source>
        <translation>Kontext: %1</translation>
    </message>
    <message>
        <source>context: not counted</source>
        <translation>Kontext: nicht gezählt</translation>
    </message>
</context>
<context>
    <name>tessera::ui::ConversationTree</name>
    <message>
        <source>Search chats</source>
        <translation>Gespräche suchen</translation>
    </message>
    <message>
        <source>New chat</source>
        <translation>Neues Gespräch</translation>
    </message>
    <message>
        <source>Chats and their branches</source>
        <translation>Gespräche und ihre Zweige</translation>
    </message>
    <message>
        <source>Another branch: %1</source>
        <translation>Anderer Zweig: %1</translation>
    </message>
    <message>
        <source>Rename</source>
        <translation>Umbenennen</translation>
    </message>
    <message>
        <source>Remove</source>
        <translation>Entfernen</translation>
    </message>
</context>
<context>
    <name>tessera::ui::CostChart</name>
    <message>
        <source>days</source>
        <translation>Tage</translation>
    </message>
    <message>
        <source>hours</source>
        <translation>Stunden</translation>
    </message>
    <message>
        <source>minutes</source>
        <translation>Minuten</translation>
    </message>
    <message>
        <source>seconds</source>
        <translation>Sekunden</translation>
    </message>
    <message>
        <source>T tokens</source>
        <translation>T Tokens</translation>
    </message>
    <message>
        <source>B tokens</source>
        <translation>Mrd. Tokens</translation>
    </message>
    <message>
        <source>M tokens</source>
        <translation>Mio. Tokens</translation>
    </message>
    <message>
        <source>k tokens</source>
        <translation>k Tokens</translation>
    </message>
    <message>
        <source>tokens</source>
        <translation>Tokens</translation>
    </message>
    <message>
        <source>Time and cost over tokens: %1, %2 and $ %3 at the end</source>
        <translation>Zeit und Kosten über Tokens: am Ende %1, %2 und %3 $</translation>
    </message>
</context>
<context>
    <name>tessera::ui::CurriculumPage</name>
    <message>
        <source>There is no spec yet whose curriculum could be shown.</source>
        <translation>Es gibt noch keine Spec, deren Lehrplan zu zeigen wäre.</translation>
    </message>
    <message>
        <source>Stages as a table</source>
        <translation>Stufen als Tabelle</translation>
    </message>
    <message>
        <source>Add a stage</source>
        <translation>Stufe hinzufügen</translation>
    </message>
    <message>
        <source>Show the curriculum as a table</source>
        <translation>Lehrplan als Tabelle zeigen</translation>
    </message>
    <message>
        <source>Configure</source>
        <translation>Konfigurieren</translation>
    </message>
    <message>
        <source>To the whole spec, its plan and Launch</source>
        <translation>Zur ganzen Spec, ihrem Plan und Start</translation>
    </message>
    <message>
        <source>Show as table</source>
        <translation>Als Tabelle zeigen</translation>
    </message>
    <message>
        <source>Move earlier</source>
        <translation>Nach vorn</translation>
    </message>
    <message>
        <source>Move later</source>
        <translation>Nach hinten</translation>
    </message>
    <message>
        <source>Duplicate the stage</source>
        <translation>Stufe verdoppeln</translation>
    </message>
    <message>
        <source>Remove the stage</source>
        <translation>Stufe entfernen</translation>
    </message>
    <message>
        <source>%1, %2 steps, %3</source>
        <translation>%1, %2 Schritte, %3</translation>
    </message>
    <message>
        <source>1 stage</source>
        <translation>1 Stufe</translation>
    </message>
    <message>
        <source>%1 stages</source>
        <translation>%1 Stufen</translation>
    </message>
    <message>
        <source>The curriculum is not complete.</source>
        <translation>Der Lehrplan ist unvollständig.</translation>
    </message>
    <message>
        <source>Stage %1 of %2: %3</source>
        <translation>Stufe %1 von %2: %3</translation>
    </message>
    <message>
        <source>stage</source>
        <translation>Stufe</translation>
    </message>
    <message>
        <source>first step</source>
        <translation>erster Schritt</translation>
    </message>
    <message>
        <source>steps</source>
        <translation>Schritte</translation>
    </message>
    <message>
        <source>tokens</source>
        <translation>Tokens</translation>
    </message>
    <message>
        <source>sequence length</source>
        <translation>Sequenzlänge</translation>
    </message>
    <message>
        <source>batch</source>
        <translation>Batch</translation>
    </message>
    <message>
        <source>rate at end</source>
        <translation>Rate am Ende</translation>
    </message>
    <message>
        <source>bias speed</source>
        <translation>Bias-Geschwindigkeit</translation>
    </message>
    <message>
        <source>MTP lambda</source>
        <translation>MTP-Lambda</translation>
    </message>
    <message>
        <source>YaRN factor</source>
        <translation>YaRN-Faktor</translation>
    </message>
    <message>
        <source>It is the first</source>
        <translation>Es ist das erste</translation>
    </message>
    <message>
        <source>It is the last</source>
        <translation>Es ist das letzte</translation>
    </message>
    <message>
        <source>A run needs at least one stage</source>
        <translation>Ein Lauf braucht mindestens eine Stufe</translation>
    </message>
    <message>
        <source>Change the length of stage %1</source>
        <translation>Länge der Stufe %1 ändern</translation>
    </message>
    <message>
        <source>Duplicate a stage</source>
        <translation>Stufe verdoppeln</translation>
    </message>
    <message>
        <source>Remove a stage</source>
        <translation>Stufe entfernen</translation>
    </message>
    <message>
        <source>Move a stage</source>
        <translation>Stufe verschieben</translation>
    </message>
</context>
<context>
    <name>tessera::ui::CurriculumView</name>
    <message>
        <source>Curriculum over tokens</source>
        <translation>Lehrplan über Tokens</translation>
    </message>
    <message>
        <source>sequence length</source>
        <translation>Sequenzlänge</translation>
    </message>
    <message>
        <source>batch, sequences</source>
        <translation>Batch, Sequenzen</translation>
    </message>
    <message>
        <source>learning rate</source>
        <translation>Lernrate</translation>
    </message>
    <message>
        <source>mixture</source>
        <translation>Mischung</translation>
    </message>
    <message>
        <source>bias speed</source>
        <translation>Bias-Geschwindigkeit</translation>
    </message>
    <message>
        <source>MTP lambda</source>
        <translation>MTP-Lambda</translation>
    </message>
    <message>
        <source>%1: sequences of %2, batch %3</source>
        <translation>%1: Sequenzen von %2, Batch %3</translation>
    </message>
    <message>
        <source>stage</source>
        <translation>Stufe</translation>
    </message>
    <message>
        <source>tokens trained (short stages are drawn wider)</source>
        <translation>trainierte Tokens (kurze Stufen breiter gezeichnet)</translation>
    </message>
    <message>
        <source>tokens trained</source>
        <translation>trainierte Tokens</translation>
    </message>
    <message>
        <source>%1: step %2, %3, sequences of %4, batch %5, rate %6, bias speed %7, lambda %8</source>
        <translation>%1: Schritt %2, %3, Sequenzen von %4, Batch %5, Rate %6, Bias-Geschwindigkeit %7, Lambda %8</translation>
    </message>
    <message>
        <source>%1: %2 steps</source>
        <translation>%1: %2 Schritte</translation>
    </message>
    <message>
        <source>%1: %2</source>
        <translation>%1: %2</translation>
    </message>
</context>
<context>
    <name>tessera::ui::DataDialog</name>
    <message>
        <source>kept</source>
        <translation>behalten</translation>
    </message>
    <message>
        <source>dropped: %1</source>
        <translation>verworfen: %1</translation>
    </message>
    <message>
        <source>The data, before it is trained on</source>
        <translation>Die Daten, bevor darauf trainiert wird</translation>
    </message>
    <message>
        <source>Read again</source>
        <translation>Erneut lesen</translation>
    </message>
    <message>
        <source>Reading the sources</source>
        <translation>Die Quellen werden gelesen</translation>
    </message>
    <message>
        <source>Sources</source>
        <translation>Quellen</translation>
    </message>
    <message>
        <source>Source</source>
        <translation>Quelle</translation>
    </message>
    <message>
        <source>Kept</source>
        <translation>Behalten</translation>
    </message>
    <message>
        <source>Files</source>
        <translation>Dateien</translation>
    </message>
    <message>
        <source>Size</source>
        <translation>Größe</translation>
    </message>
    <message>
        <source>Documents</source>
        <translation>Dokumente</translation>
    </message>
    <message>
        <source>Document</source>
        <translation>Dokument</translation>
    </message>
    <message>
        <source>Verdict</source>
        <translation>Urteil</translation>
    </message>
    <message>
        <source>Length</source>
        <translation>Länge</translation>
    </message>
    <message>
        <source>Begins with</source>
        <translation>Beginnt mit</translation>
    </message>
    <message>
        <source>Beginning of the document</source>
        <translation>Anfang des Dokuments</translation>
    </message>
    <message>
        <source>The program `tessera` was not found beside this one</source>
        <translation>Das Programm `tessera` wurde neben diesem nicht gefunden</translation>
    </message>
    <message>
        <source>The first documents of each source as a run would read them. Nothing is built.</source>
        <translation>Die ersten Dokumente jeder Quelle, wie ein Lauf sie lesen würde. Nichts wird gebaut.</translation>
    </message>
    <message>
        <source>Reading the beginning of each source</source>
        <translation>Der Anfang jeder Quelle wird gelesen</translation>
    </message>
    <message>
        <source>The draft was changed since: read again to see its data.</source>
        <translation>Der Entwurf wurde seither geändert: erneut lesen zeigt seine Daten.</translation>
    </message>
    <message>
        <source>Reading was cancelled.</source>
        <translation>Das Lesen wurde abgebrochen.</translation>
    </message>
    <message>
        <source>The text of the draft cannot be read, so its sources are not known.</source>
        <translation>Der Text des Entwurfs ist nicht lesbar, daher sind seine Quellen nicht bekannt.</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>The text cannot be read</source>
        <translation>Der Text ist nicht lesbar</translation>
    </message>
    <message>
        <source>The sources are being read.</source>
        <translation>Die Quellen werden gelesen.</translation>
    </message>
    <message>
        <source>The spec has no source.</source>
        <translation>Die Spec hat keine Quelle.</translation>
    </message>
    <message>
        <source>No source has been read yet.</source>
        <translation>Noch keine Quelle wurde gelesen.</translation>
    </message>
    <message>
        <source>%1 of %2</source>
        <translation>%1 von %2</translation>
    </message>
    <message>
        <source>Documents read: %1, all of them. Kept: %2.</source>
        <translation>Gelesene Dokumente: %1, alle. Behalten: %2.</translation>
    </message>
    <message>
        <source>Documents read: %1, the first ones. Kept: %2.</source>
        <translation>Gelesene Dokumente: %1, die ersten. Behalten: %2.</translation>
    </message>
    <message>
        <source>None was dropped.</source>
        <translation>Keines wurde verworfen.</translation>
    </message>
    <message>
        <source>Dropped: %1</source>
        <translation>Verworfen: %1</translation>
    </message>
    <message>
        <source>%1, line %2</source>
        <translation>%1, Zeile %2</translation>
    </message>
</context>
<context>
    <name>tessera::ui::DataLook</name>
    <message>
        <source>%1 cannot be written: %2</source>
        <translation>%1 kann nicht geschrieben werden: %2</translation>
    </message>
    <message>
        <source>`tessera data look` was ended from outside or has crashed</source>
        <translation>`tessera data look` wurde von außen beendet oder ist abgestürzt</translation>
    </message>
    <message>
        <source>`tessera data look` ended with code %1</source>
        <translation>`tessera data look` endete mit Code %1</translation>
    </message>
    <message>
        <source>The answer of `tessera data look` cannot be read: %1</source>
        <translation>Die Antwort von `tessera data look` ist nicht lesbar: %1</translation>
    </message>
</context>
<context>
    <name>tessera::ui::DemoStarter</name>
    <message>
        <source>The demo could not be started: %1</source>
        <translation>Die Demo ließ sich nicht starten: %1</translation>
    </message>
    <message>
        <source>Try again</source>
        <translation>Noch einmal versuchen</translation>
    </message>
    <message>
        <source>Starting the demo</source>
        <translation>Demo wird gestartet</translation>
    </message>
</context>
<context>
    <name>tessera::ui::Desktop</name>
    <message>
        <source>Open</source>
        <translation>Öffnen</translation>
    </message>
</context>
<context>
    <name>tessera::ui::DockPanel</name>
    <message>
        <source>Open %1 in a window</source>
        <translation>%1 in einem Fenster öffnen</translation>
    </message>
    <message>
        <source>Hide %1</source>
        <translation>%1 ausblenden</translation>
    </message>
    <message>
        <source>%1 is in a window of its own.</source>
        <translation>%1 ist in einem eigenen Fenster.</translation>
    </message>
    <message>
        <source>Bring it back</source>
        <translation>Zurückholen</translation>
    </message>
</context>
<context>
    <name>tessera::ui::DraftPage</name>
    <message>
        <source>Begin with the demo</source>
        <translation>Mit der Demo beginnen</translation>
    </message>
    <message>
        <source>Undo</source>
        <translation>Rückgängig</translation>
    </message>
    <message>
        <source>Redo</source>
        <translation>Wiederholen</translation>
    </message>
    <message>
        <source>Nothing to undo</source>
        <translation>Nichts rückgängig zu machen</translation>
    </message>
    <message>
        <source>Nothing to redo</source>
        <translation>Nichts zu wiederholen</translation>
    </message>
    <message>
        <source>Undo: %1</source>
        <translation>Rückgängig: %1</translation>
    </message>
    <message>
        <source>Redo: %1</source>
        <translation>Wiederholen: %1</translation>
    </message>
</context>
<context>
    <name>tessera::ui::DraftSpec</name>
    <message>
        <source>%1 cannot be written: %2</source>
        <translation>%1 lässt sich nicht schreiben: %2</translation>
    </message>
    <message>
        <source>The text has a mistake; mend it or undo before using the form: %1</source>
        <translation>Der Text hat einen Fehler; ihn beheben oder rückgängig machen, bevor Sie das Formular nutzen: %1</translation>
    </message>
    <message>
        <source>Set %1</source>
        <translation>%1 setzen</translation>
    </message>
    <message>
        <source>Reset %1</source>
        <translation>%1 zurücksetzen</translation>
    </message>
    <message>
        <source>Type</source>
        <translation>Tippen</translation>
    </message>
    <message>
        <source>Write every key</source>
        <translation>Jeden Schlüssel schreiben</translation>
    </message>
    <message>
        <source>The draft cannot be kept: %1</source>
        <translation>Der Entwurf kann nicht aufgehoben werden: %1</translation>
    </message>
    <message>
        <source>Open %1</source>
        <translation>%1 öffnen</translation>
    </message>
    <message>
        <source>Rename to %1</source>
        <translation>Umbenennen in %1</translation>
    </message>
</context>
<context>
    <name>tessera::ui::ExpertStrip</name>
    <message>
        <source>Experts of the token</source>
        <translation>Experten des Tokens</translation>
    </message>
    <message>
        <source>Layer %1: %2</source>
        <translation>Schicht %1: %2</translation>
    </message>
    <message>
        <source>Layer %1, expert %2: gate weight %3</source>
        <translation>Schicht %1, Experte %2: Gate-Gewicht %3</translation>
    </message>
</context>
<context>
    <name>tessera::ui::ExpertTableModel</name>
    <message>
        <source>dead</source>
        <translation>tot</translation>
    </message>
    <message>
        <source>hot</source>
        <translation>heiß</translation>
    </message>
    <message>
        <source>Layer</source>
        <translation>Schicht</translation>
    </message>
    <message>
        <source>Expert</source>
        <translation>Experte</translation>
    </message>
    <message>
        <source>Load (tokens)</source>
        <translation>Last (Tokens)</translation>
    </message>
    <message>
        <source>Use ratio</source>
        <translation>Nutzungsgrad</translation>
    </message>
    <message>
        <source>Bias</source>
        <translation>Bias</translation>
    </message>
    <message>
        <source>Change of use ratio</source>
        <translation>Änderung des Nutzungsgrads</translation>
    </message>
    <message>
        <source>Alarm</source>
        <translation>Alarm</translation>
    </message>
</context>
<context>
    <name>tessera::ui::ExpertsPage</name>
    <message>
        <source>Pick a run.</source>
        <translation>Einen Lauf wählen.</translation>
    </message>
    <message>
        <source>Choose a run</source>
        <translation>Lauf wählen</translation>
    </message>
    <message>
        <source>Experts: load</source>
        <translation>Experten: Last</translation>
    </message>
    <message>
        <source>Experts: use ratio</source>
        <translation>Experten: Nutzungsgrad</translation>
    </message>
    <message>
        <source>Experts: bias</source>
        <translation>Experten: Bias</translation>
    </message>
    <message>
        <source>Experts: change since a step</source>
        <translation>Experten: Änderung seit einem Schritt</translation>
    </message>
    <message>
        <source>Experts: compare side by side</source>
        <translation>Experten: nebeneinander vergleichen</translation>
    </message>
    <message>
        <source>Experts: show as table</source>
        <translation>Experten: als Tabelle</translation>
    </message>
    <message>
        <source>Experts: play</source>
        <translation>Experten: abspielen</translation>
    </message>
    <message>
        <source>Load</source>
        <translation>Last</translation>
    </message>
    <message>
        <source>Tokens routed to each expert in the step</source>
        <translation>Tokens, die der Schritt jedem Experten schickt</translation>
    </message>
    <message>
        <source>Use ratio</source>
        <translation>Nutzungsgrad</translation>
    </message>
    <message>
        <source>Load over the mean load of the layer: 1 is fair</source>
        <translation>Last geteilt durch die mittlere Last der Schicht: 1 ist fair</translation>
    </message>
    <message>
        <source>Bias</source>
        <translation>Bias</translation>
    </message>
    <message>
        <source>Bias of the selection, which balances the loads without a loss</source>
        <translation>Bias der Auswahl, der die Last ohne einen Loss ausgleicht</translation>
    </message>
    <message>
        <source>Change since</source>
        <translation>Änderung seit</translation>
    </message>
    <message>
        <source>Use ratio now less that of another step or run</source>
        <translation>Nutzungsgrad jetzt minus dem eines anderen Schritts oder Laufs</translation>
    </message>
    <message>
        <source>Compare</source>
        <translation>Vergleichen</translation>
    </message>
    <message>
        <source>Another step or run beside this one</source>
        <translation>Ein anderer Schritt oder Lauf neben diesem</translation>
    </message>
    <message>
        <source>Show as table</source>
        <translation>Als Tabelle zeigen</translation>
    </message>
    <message>
        <source>Step to compare with</source>
        <translation>Schritt zum Vergleich</translation>
    </message>
    <message>
        <source>the same run</source>
        <translation>derselbe Lauf</translation>
    </message>
    <message>
        <source>Run to compare with</source>
        <translation>Lauf zum Vergleich</translation>
    </message>
    <message>
        <source>Compare with the step shown</source>
        <translation>Mit dem gezeigten Schritt vergleichen</translation>
    </message>
    <message>
        <source>Compared with step</source>
        <translation>Verglichen mit Schritt</translation>
    </message>
    <message>
        <source>of</source>
        <translation>von</translation>
    </message>
    <message>
        <source>Layer</source>
        <translation>Schicht</translation>
    </message>
    <message>
        <source>Expert</source>
        <translation>Experte</translation>
    </message>
    <message>
        <source>Step</source>
        <translation>Schritt</translation>
    </message>
    <message>
        <source>Fair load</source>
        <translation>Faire Last</translation>
    </message>
    <message>
        <source>Change</source>
        <translation>Änderung</translation>
    </message>
    <message>
        <source>MaxVio</source>
        <translation>MaxVio</translation>
    </message>
    <message>
        <source>Open in Monitor</source>
        <translation>Im Monitor öffnen</translation>
    </message>
    <message>
        <source>Pick a run, and how its tokens spread over its experts is shown here.</source>
        <translation>Einen Lauf wählen: hier steht, wie sich seine Tokens auf die Experten verteilen.</translation>
    </message>
    <message>
        <source>The run %1 is not in the library.</source>
        <translation>Der Lauf %1 ist nicht in der Bibliothek.</translation>
    </message>
    <message>
        <source>Looking for the run.</source>
        <translation>Der Lauf wird gesucht.</translation>
    </message>
    <message>
        <source>Reading the run&apos;s log.</source>
        <translation>Das Protokoll des Laufs wird gelesen.</translation>
    </message>
    <message>
        <source>This model is dense: every token passes through all of each layer, so there are no experts to route to. model.n_routed_experts above 0 makes a mixture of experts.</source>
        <translation>Dieses Modell ist dicht: jedes Token geht durch alles in jeder Schicht, es gibt also keine Experten zur Auswahl. model.n_routed_experts über 0 macht daraus eine Mischung von Experten.</translation>
    </message>
    <message>
        <source>This run does not log its experts: events.experts_every is 0.</source>
        <translation>Dieser Lauf loggt seine Experten nicht: events.experts_every ist 0.</translation>
    </message>
    <message>
        <source>No loads have been logged yet: they come every %1 steps.</source>
        <translation>Noch keine Last geloggt: sie kommt alle %1 Schritte.</translation>
    </message>
    <message>
        <source>The loads of step %1 cannot be read from the log.</source>
        <translation>Die Last von Schritt %1 ist im Protokoll nicht lesbar.</translation>
    </message>
    <message>
        <source>step %1 of %2</source>
        <translation>Schritt %1 von %2</translation>
    </message>
    <message>
        <source> (newest)</source>
        <translation> (neuester)</translation>
    </message>
    <message>
        <source>It has %1 x %2 experts: no change can be computed.</source>
        <translation>Er hat %1 x %2 Experten: eine Änderung lässt sich nicht berechnen.</translation>
    </message>
    <message>
        <source>Logged at step %1.</source>
        <translation>Geloggt in Schritt %1.</translation>
    </message>
    <message>
        <source>Step %1</source>
        <translation>Schritt %1</translation>
    </message>
    <message>
        <source>%1, step %2</source>
        <translation>%1, Schritt %2</translation>
    </message>
    <message>
        <source>Load by layer and expert</source>
        <translation>Last nach Schicht und Experte</translation>
    </message>
    <message>
        <source>Use ratio by layer and expert</source>
        <translation>Nutzungsgrad nach Schicht und Experte</translation>
    </message>
    <message>
        <source>Bias by layer and expert</source>
        <translation>Bias nach Schicht und Experte</translation>
    </message>
    <message>
        <source>Change of use ratio since step %1</source>
        <translation>Änderung des Nutzungsgrads seit Schritt %1</translation>
    </message>
    <message>
        <source>Biases of %1</source>
        <translation>Bias von %1</translation>
    </message>
    <message>
        <source>Load in %1</source>
        <translation>Last in %1</translation>
    </message>
    <message>
        <source>Use ratio in %1</source>
        <translation>Nutzungsgrad in %1</translation>
    </message>
    <message>
        <source>tokens a step</source>
        <translation>Tokens je Schritt</translation>
    </message>
    <message>
        <source>fair</source>
        <translation>fair</translation>
    </message>
    <message>
        <source>step %1</source>
        <translation>Schritt %1</translation>
    </message>
    <message>
        <source>Reading the log.</source>
        <translation>Das Protokoll wird gelesen.</translation>
    </message>
    <message>
        <source>No biases have been logged for this layer.</source>
        <translation>Für diese Schicht wurden keine Bias geloggt.</translation>
    </message>
    <message>
        <source>expert %1</source>
        <translation>Experte %1</translation>
    </message>
    <message>
        <source>%1 tokens</source>
        <translation>%1 Tokens</translation>
    </message>
    <message>
        <source>%1 x fair</source>
        <translation>%1 x fair</translation>
    </message>
    <message>
        <source>bias %1</source>
        <translation>Bias %1</translation>
    </message>
    <message>
        <source>%1 since step %2</source>
        <translation>%1 seit Schritt %2</translation>
    </message>
    <message>
        <source>dead</source>
        <translation>tot</translation>
    </message>
    <message>
        <source>hot</source>
        <translation>heiß</translation>
    </message>
    <message>
        <source>Experts of %1 at step %2</source>
        <translation>Experten von %1 in Schritt %2</translation>
    </message>
    <message>
        <source>The folder of %1 is gone. It was %2. Move it back, and the run is here again.</source>
        <translation>Der Ordner von %1 ist weg. Es war %2. Legen Sie ihn zurück, und der Lauf ist wieder hier.</translation>
    </message>
</context>
<context>
    <name>tessera::ui::FanPlot</name>
    <message>
        <source>+/-</source>
        <translation>+/-</translation>
    </message>
    <message>
        <source>step %1</source>
        <translation>Schritt %1</translation>
    </message>
    <message>
        <source> · expert %1: %2</source>
        <translation> · Experte %1: %2</translation>
    </message>
    <message>
        <source> · updates %1</source>
        <translation> · Änderungen %1</translation>
    </message>
    <message>
        <source>expert %1 lit</source>
        <translation>Experte %1 hell</translation>
    </message>
</context>
<context>
    <name>tessera::ui::FieldEditor</name>
    <message>
        <source>on</source>
        <translation>an</translation>
    </message>
    <message>
        <source>off</source>
        <translation>aus</translation>
    </message>
    <message>
        <source>absent</source>
        <translation>fehlt</translation>
    </message>
    <message>
        <source>the sources&apos; own</source>
        <translation>die der Quellen</translation>
    </message>
    <message>
        <source>Choose a file or folder</source>
        <translation>Datei oder Ordner wählen</translation>
    </message>
    <message>
        <source>Choose</source>
        <translation>Wählen</translation>
    </message>
    <message>
        <source>one a line</source>
        <translation>einer je Zeile</translation>
    </message>
</context>
<context>
    <name>tessera::ui::FieldRow</name>
    <message>
        <source>Reset to the preset</source>
        <translation>Auf die Vorlage zurücksetzen</translation>
    </message>
    <message>
        <source>nothing</source>
        <translation>nichts</translation>
    </message>
    <message>
        <source>absent</source>
        <translation>fehlt</translation>
    </message>
    <message>
        <source>Differs from %1</source>
        <translation>Weicht ab von %1</translation>
    </message>
    <message>
        <source>Reset to %1</source>
        <translation>Auf %1 zurücksetzen</translation>
    </message>
    <message>
        <source>The text below has a mistake; mend it there, or undo</source>
        <translation>Der Text unten hat einen Fehler; dort beheben oder rückgängig machen</translation>
    </message>
    <message>
        <source>%1; default %2</source>
        <translation>%1; Standard %2</translation>
    </message>
    <message>
        <source>a point: %1</source>
        <translation>ein Punkt: %1</translation>
    </message>
    <message>
        <source>%1 has a comma</source>
        <translation>%1 hat ein Komma</translation>
    </message>
</context>
<context>
    <name>tessera::ui::FirstStart</name>
    <message>
        <source>Tessera Studio</source>
        <translation>Tessera Studio</translation>
    </message>
    <message>
        <source>Train mixture-of-experts models of the DeepSeek-V3 family, watch them, and talk to them. Everything stays on this machine.</source>
        <translation>Mixture-of-Experts-Modelle der DeepSeek-V3-Familie trainieren, ihnen zusehen und mit ihnen reden. Alles bleibt auf diesem Rechner.</translation>
    </message>
    <message>
        <source>Try the demo</source>
        <translation>Demo ausprobieren</translation>
    </message>
    <message>
        <source>Trains a small model on sample text: a few minutes on two cores</source>
        <translation>Trainiert ein kleines Modell an Beispieltext: wenige Minuten auf zwei Kernen</translation>
    </message>
    <message>
        <source>Start without it</source>
        <translation>Ohne Demo beginnen</translation>
    </message>
    <message>
        <source>A small mixture of experts learns to write, on this machine.</source>
        <translation>Ein kleines Mixture-of-Experts lernt auf diesem Rechner schreiben.</translation>
    </message>
    <message>
        <source>The demo is being started</source>
        <translation>Die Demo wird gerade gestartet</translation>
    </message>
    <message>
        <source>This machine</source>
        <translation>Dieser Rechner</translation>
    </message>
    <message>
        <source>Processor</source>
        <translation>Prozessor</translation>
    </message>
    <message>
        <source>Memory</source>
        <translation>Speicher</translation>
    </message>
    <message>
        <source>GPUs</source>
        <translation>GPUs</translation>
    </message>
    <message>
        <source>Where runs and models are kept</source>
        <translation>Wo Läufe und Modelle liegen</translation>
    </message>
    <message>
        <source>Change...</source>
        <translation>Ändern ...</translation>
    </message>
    <message>
        <source>Theme</source>
        <translation>Farbschema</translation>
    </message>
    <message>
        <source>As the system</source>
        <translation>Wie das System</translation>
    </message>
    <message>
        <source>Light</source>
        <translation>Hell</translation>
    </message>
    <message>
        <source>Dark</source>
        <translation>Dunkel</translation>
    </message>
    <message>
        <source>Looking...</source>
        <translation>Wird gesucht ...</translation>
    </message>
    <message numerus="yes">
        <source>%1, %n thread(s)%2</source>
        <translation>
            <numerusform>%1, %n Thread%2</numerusform>
            <numerusform>%1, %n Threads%2</numerusform>
        </translation>
    </message>
    <message>
        <source>%1, %2 free; disk %3 free</source>
        <translation>%1, davon %2 frei; Platte: %3 frei</translation>
    </message>
    <message>
        <source>None found: small models train on the processor</source>
        <translation>Keine gefunden: kleine Modelle trainieren auf dem Prozessor</translation>
    </message>
    <message>
        <source>Cannot be asked: %1</source>
        <translation>Keine Auskunft: %1</translation>
    </message>
    <message>
        <source>Folder for runs and models</source>
        <translation>Ordner für Läufe und Modelle</translation>
    </message>
    <message>
        <source>The folder is used when the studio is started again.</source>
        <translation>Der Ordner gilt ab dem nächsten Start.</translation>
    </message>
</context>
<context>
    <name>tessera::ui::GaugeHistory</name>
    <message>
        <source>minutes from now</source>
        <translation>Minuten von jetzt</translation>
    </message>
    <message>
        <source>History of processor, memory and GPUs</source>
        <translation>Verlauf von Prozessor, Speicher und GPUs</translation>
    </message>
    <message>
        <source>Processor</source>
        <translation>Prozessor</translation>
    </message>
    <message>
        <source>Memory</source>
        <translation>Speicher</translation>
    </message>
    <message>
        <source>GPU %1</source>
        <translation>GPU %1</translation>
    </message>
</context>
<context>
    <name>tessera::ui::HomePage</name>
    <message>
        <source>Looking for runs...</source>
        <translation>Läufe werden gesucht ...</translation>
    </message>
    <message>
        <source>New run</source>
        <translation>Neuer Lauf</translation>
    </message>
    <message>
        <source>Look for runs again</source>
        <translation>Läufe neu suchen</translation>
    </message>
    <message>
        <source>No runs yet. The demo trains a small mixture of experts in a few minutes.</source>
        <translation>Noch keine Läufe. Die Demo trainiert in wenigen Minuten ein kleines Mixture-of-Experts.</translation>
    </message>
    <message>
        <source>Try the demo</source>
        <translation>Demo ausprobieren</translation>
    </message>
    <message>
        <source>Going on now</source>
        <translation>Gerade im Gang</translation>
    </message>
    <message>
        <source>Lately</source>
        <translation>Zuletzt</translation>
    </message>
    <message>
        <source>Home</source>
        <translation>Start</translation>
    </message>
    <message>
        <source>The demo is being started</source>
        <translation>Die Demo wird gerade gestartet</translation>
    </message>
    <message>
        <source>Start from</source>
        <translation>Beginnen mit</translation>
    </message>
    <message>
        <source>Configure</source>
        <translation>Konfigurieren</translation>
    </message>
    <message>
        <source>Configure from %1</source>
        <translation>Ausgehend von %1 konfigurieren</translation>
    </message>
    <message>
        <source>Hosts</source>
        <translation>Rechner</translation>
    </message>
    <message>
        <source>This machine</source>
        <translation>Dieser Rechner</translation>
    </message>
    <message>
        <source>Details</source>
        <translation>Einzelheiten</translation>
    </message>
    <message>
        <source>Looking...</source>
        <translation>Wird gesucht ...</translation>
    </message>
    <message>
        <source>no GPU</source>
        <translation>keine GPU</translation>
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
            <numerusform>%n Thread, %1 Speicher, %2, %3 frei auf der Platte</numerusform>
            <numerusform>%n Threads, %1 Speicher, %2, %3 frei auf der Platte</numerusform>
        </translation>
    </message>
    <message>
        <source>Go on with</source>
        <translation>Weitermachen mit</translation>
    </message>
    <message>
        <source>from the preset %1</source>
        <translation>aus der Vorlage %1</translation>
    </message>
    <message>
        <source>clone of %1</source>
        <translation>Kopie von %1</translation>
    </message>
    <message>
        <source>fork of %1</source>
        <translation>Abzweig von %1</translation>
    </message>
    <message numerus="yes">
        <source>%n setting(s) changed, not saved</source>
        <translation>
            <numerusform>%n Einstellung geändert, nicht gespeichert</numerusform>
            <numerusform>%n Einstellungen geändert, nicht gespeichert</numerusform>
        </translation>
    </message>
    <message>
        <source>Go on</source>
        <translation>Weiter</translation>
    </message>
    <message>
        <source>Open</source>
        <translation>Öffnen</translation>
    </message>
    <message>
        <source>Go on with %1</source>
        <translation>Weitermachen mit %1</translation>
    </message>
    <message>
        <source>Take %1 off this list</source>
        <translation>%1 von dieser Liste nehmen</translation>
    </message>
    <message>
        <source>%1 was taken off the list</source>
        <translation>%1 ist nicht mehr auf der Liste</translation>
    </message>
    <message numerus="yes">
        <source>%n setting(s) changed, launched</source>
        <translation>
            <numerusform>%n Einstellung geändert, gestartet</numerusform>
            <numerusform>%n Einstellungen geändert, gestartet</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>tessera::ui::HostsPage</name>
    <message>
        <source>Measure this machine</source>
        <translation>Diesen Rechner messen</translation>
    </message>
    <message>
        <source>Add a folder of runs...</source>
        <translation>Ordner mit Läufen hinzufügen ...</translation>
    </message>
    <message>
        <source>Measure</source>
        <translation>Messen</translation>
    </message>
    <message>
        <source>Hosts</source>
        <translation>Rechner</translation>
    </message>
    <message>
        <source>Other machines</source>
        <translation>Andere Rechner</translation>
    </message>
    <message>
        <source>This machine</source>
        <translation>Dieser Rechner</translation>
    </message>
    <message>
        <source>Measured speed</source>
        <translation>Gemessene Leistung</translation>
    </message>
    <message>
        <source>%1: %2 used</source>
        <translation>%1: %2 belegt</translation>
    </message>
    <message>
        <source>Machine</source>
        <translation>Rechner</translation>
    </message>
    <message>
        <source>Looking...</source>
        <translation>Wird gesucht ...</translation>
    </message>
    <message>
        <source>Name</source>
        <translation>Name</translation>
    </message>
    <message>
        <source>Processor</source>
        <translation>Prozessor</translation>
    </message>
    <message numerus="yes">
        <source>%1, %n thread(s)%2</source>
        <translation>
            <numerusform>%1, %n Thread%2</numerusform>
            <numerusform>%1, %n Threads%2</numerusform>
        </translation>
    </message>
    <message>
        <source>Memory</source>
        <translation>Speicher</translation>
    </message>
    <message>
        <source>%1 free of %2</source>
        <translation>%1 von %2 frei</translation>
    </message>
    <message>
        <source>Disk</source>
        <translation>Platte</translation>
    </message>
    <message>
        <source>%1 free of %2, %3</source>
        <translation>%1 von %2 frei, %3</translation>
    </message>
    <message>
        <source>GPU</source>
        <translation>GPU</translation>
    </message>
    <message>
        <source>%1, %2, driver %3</source>
        <translation>%1, %2, Treiber %3</translation>
    </message>
    <message>
        <source>GPUs</source>
        <translation>GPUs</translation>
    </message>
    <message>
        <source>None found</source>
        <translation>Keine gefunden</translation>
    </message>
    <message>
        <source>Cannot be asked: %1</source>
        <translation>Keine Auskunft: %1</translation>
    </message>
    <message>
        <source>Not measured</source>
        <translation>Nicht gemessen</translation>
    </message>
    <message>
        <source>How fast this machine multiplies matrices: what a plan&apos;s step times come from.</source>
        <translation>Wie schnell dieser Rechner Matrizen multipliziert: daraus schätzt ein Plan die Zeit je Schritt.</translation>
    </message>
    <message>
        <source>Measuring products</source>
        <translation>Produkte werden gemessen</translation>
    </message>
    <message>
        <source>It is being measured</source>
        <translation>Wird gerade gemessen</translation>
    </message>
    <message>
        <source>Measuring...</source>
        <translation>Wird gemessen ...</translation>
    </message>
    <message>
        <source>This machine could not be measured: %1</source>
        <translation>Dieser Rechner ließ sich nicht messen: %1</translation>
    </message>
    <message>
        <source>Try again</source>
        <translation>Noch einmal versuchen</translation>
    </message>
    <message>
        <source>Folder that runs are in</source>
        <translation>Ordner, in dem Läufe liegen</translation>
    </message>
    <message>
        <source>Looking for runs in %1</source>
        <translation>Läufe in %1 werden gesucht</translation>
    </message>
    <message>
        <source>Times one large product, as `tessera bench product` does: some seconds</source>
        <translation>Misst ein großes Produkt, wie `tessera bench product`: einige Sekunden</translation>
    </message>
    <message>
        <source>A product of order 1024 in FP32, and %1 in BF16, measured on %2. Plans use both.</source>
        <translation>Ein Produkt der Ordnung 1024 in FP32, und %1 in BF16, gemessen am %2. Pläne nutzen beides.</translation>
    </message>
    <message>
        <source>Add a host...</source>
        <translation>Host hinzufügen...</translation>
    </message>
    <message>
        <source>Check all hosts</source>
        <translation>Alle Hosts prüfen</translation>
    </message>
    <message>
        <source>New profile for Slurm...</source>
        <translation>Neues Profil für Slurm...</translation>
    </message>
    <message>
        <source>Configure starts runs on hosts, and so does a terminal: `tessera launch SPEC --hosts a:4,b:4`. Runs that another machine writes to a shared folder appear like those of this one once the folder is added.</source>
        <translation>Konfigurieren startet Läufe auf Rechnern, ebenso ein Terminal: `tessera launch SPEC --hosts a:4,b:4`. Läufe, die ein anderer Rechner in einen gemeinsamen Ordner schreibt, erscheinen wie die von diesem, sobald der Ordner hinzugefügt ist.</translation>
    </message>
    <message>
        <source>Profiles for Slurm</source>
        <translation>Profile für Slurm</translation>
    </message>
    <message>
        <source>Test launch</source>
        <translation>Probestart</translation>
    </message>
    <message>
        <source>A rank on each kept host says hello to the others, and they measure how fast they send to each other; nothing is trained</source>
        <translation>Ein Rang auf jedem geführten Host begrüßt die anderen, und sie messen, wie schnell sie einander senden; trainiert wird nichts</translation>
    </message>
</context>
<context>
    <name>tessera::ui::KnownHosts</name>
    <message>
        <source>%1 could not be checked: %2</source>
        <translation>%1 konnte nicht geprüft werden: %2</translation>
    </message>
    <message>
        <source>it was ended</source>
        <translation>es wurde beendet</translation>
    </message>
</context>
<context>
    <name>tessera::ui::KnownHostsView</name>
    <message>
        <source>good</source>
        <translation>gut</translation>
    </message>
    <message>
        <source>warning</source>
        <translation>Warnung</translation>
    </message>
    <message>
        <source>bad</source>
        <translation>schlecht</translation>
    </message>
    <message>
        <source>None yet. A machine that you reach with ssh can be checked from here: whether it is ready for a run, and what to do where it is not.</source>
        <translation>Noch keine. Eine Maschine, die Sie mit ssh erreichen, lässt sich von hier aus prüfen: ob sie für einen Lauf bereit ist und was sonst zu tun ist.</translation>
    </message>
    <message>
        <source>Add a host...</source>
        <translation>Host hinzufügen...</translation>
    </message>
    <message>
        <source>Add hosts</source>
        <translation>Hosts hinzufügen</translation>
    </message>
    <message>
        <source>Names that ssh knows, such as node1, me@box or node[01-04]</source>
        <translation>Namen, die ssh kennt, etwa node1, me@box oder node[01-04]</translation>
    </message>
    <message>
        <source>Add</source>
        <translation>Hinzufügen</translation>
    </message>
    <message>
        <source>%1 is not kept any more</source>
        <translation>%1 wird nicht mehr geführt</translation>
    </message>
    <message>
        <source>Checking...</source>
        <translation>Wird geprüft...</translation>
    </message>
    <message>
        <source>Not checked yet</source>
        <translation>Noch nicht geprüft</translation>
    </message>
    <message numerus="yes">
        <source>%n problem(s)</source>
        <translation>
            <numerusform>%n Problem</numerusform>
            <numerusform>%n Probleme</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Ready, %n warning(s)</source>
        <translation>
            <numerusform>Bereit, %n Warnung</numerusform>
            <numerusform>Bereit, %n Warnungen</numerusform>
        </translation>
    </message>
    <message>
        <source>Ready</source>
        <translation>Bereit</translation>
    </message>
    <message>
        <source>Check</source>
        <translation>Prüfen</translation>
    </message>
    <message>
        <source>Check %1</source>
        <translation>%1 prüfen</translation>
    </message>
    <message>
        <source>It is being checked</source>
        <translation>Wird gerade geprüft</translation>
    </message>
    <message>
        <source>Forget %1</source>
        <translation>%1 vergessen</translation>
    </message>
    <message>
        <source>Show what is wrong alone</source>
        <translation>Nur zeigen, was nicht stimmt</translation>
    </message>
    <message>
        <source>Show all %1 checks</source>
        <translation>Alle %1 Prüfungen zeigen</translation>
    </message>
    <message>
        <source>checked %1</source>
        <translation>geprüft %1</translation>
    </message>
    <message>
        <source>Test launch on all kept hosts</source>
        <translation>Probestart auf allen geführten Hosts</translation>
    </message>
    <message>
        <source>A rank on each host has said hello; the speeds stand beside them</source>
        <translation>Ein Rang auf jedem Host hat gegrüßt; die Geschwindigkeiten stehen daneben</translation>
    </message>
    <message>
        <source>The test launch failed: %1</source>
        <translation>Der Probestart ist gescheitert: %1</translation>
    </message>
    <message>
        <source>%1/s to %2, measured %3</source>
        <translation>%1/s an %2, gemessen %3</translation>
    </message>
</context>
<context>
    <name>tessera::ui::Launcher</name>
    <message>
        <source>While a run trains on this machine, chat uses half of the cores at a low priority.</source>
        <translation>Während auf diesem Rechner ein Lauf trainiert, nutzt das Gespräch die Hälfte der Kerne mit niedriger Priorität.</translation>
    </message>
    <message>
        <source>%1
It was set aside as %2, and the queue is empty now.</source>
        <translation>%1
Sie wurde als %2 beiseitegelegt, und die Warteschlange ist jetzt leer.</translation>
    </message>
    <message>
        <source>The program ended with exit status %1.</source>
        <translation>Das Programm endete mit Status %1.</translation>
    </message>
    <message>
        <source>Looking for the hosts</source>
        <translation>Die Rechner werden gesucht</translation>
    </message>
    <message>
        <source>Sending the program: %1 of %2 hosts have it</source>
        <translation>Das Programm wird gesendet: %1 von %2 Rechnern haben es</translation>
    </message>
    <message>
        <source>The hosts try how they reach each other</source>
        <translation>Die Rechner probieren, wie sie einander erreichen</translation>
    </message>
    <message>
        <source>Starting ranks: %1 of %2</source>
        <translation>Ränge werden gestartet: %1 von %2</translation>
    </message>
    <message>
        <source>All ranks are there and say hello to each other</source>
        <translation>Alle Ränge sind da und begrüßen einander</translation>
    </message>
    <message>
        <source>Giving the job to Slurm</source>
        <translation>Der Auftrag wird an Slurm gegeben</translation>
    </message>
    <message>
        <source>Looking for what was started before</source>
        <translation>Was zuvor gestartet wurde, wird gesucht</translation>
    </message>
    <message>
        <source>The queue starts its next run when no run is running on the machine that it is for.</source>
        <translation>Die Warteschlange startet ihren nächsten Lauf, wenn auf dem Rechner, für den er ist, kein Lauf läuft.</translation>
    </message>
</context>
<context>
    <name>tessera::ui::LayoutView</name>
    <message>
        <source>Ranks</source>
        <translation>Ränge</translation>
    </message>
    <message>
        <source>Pipeline</source>
        <translation>Pipeline</translation>
    </message>
    <message>
        <source>Data</source>
        <translation>Daten</translation>
    </message>
    <message>
        <source>Context</source>
        <translation>Kontext</translation>
    </message>
    <message>
        <source>Experts over</source>
        <translation>Experten über</translation>
    </message>
    <message>
        <source>One rank: a single process holds and trains all of the model.</source>
        <translation>Ein Rang: ein einziger Prozess hält und trainiert das ganze Modell.</translation>
    </message>
    <message>
        <source>the layers are cut over %1 places of a pipeline (columns)</source>
        <translation>die Schichten sind auf %1 Plätze einer Pipeline verteilt (Spalten)</translation>
    </message>
    <message>
        <source>%1 ranks share the sequences of a step (rows)</source>
        <translation>%1 Ränge teilen sich die Sequenzen eines Schritts (Zeilen)</translation>
    </message>
    <message>
        <source>each sequence is cut over %1 ranks (rows)</source>
        <translation>jede Sequenz ist auf %1 Ränge verteilt (Zeilen)</translation>
    </message>
    <message>
        <source>the experts of a layer are spread over %1 neighbours</source>
        <translation>die Experten einer Schicht sind auf %1 Nachbarn verteilt</translation>
    </message>
    <message>
        <source>%1 ranks: %2.</source>
        <translation>%1 Ränge: %2.</translation>
    </message>
    <message>
        <source>Rank %1 holds %2.</source>
        <translation>Rang %1 hält %2.</translation>
    </message>
    <message>
        <source>, %1 a step</source>
        <translation>, %1 je Schritt</translation>
    </message>
    <message>
        <source>and %1 more</source>
        <translation>und %1 weitere</translation>
    </message>
    <message>
        <source>Gradients and weights: to the ranks with the same layers, %1</source>
        <translation>Gradienten und Gewichte: an die Ränge mit denselben Schichten, %1</translation>
    </message>
    <message>
        <source>Tokens to other experts, and weights of all else: to ranks %1</source>
        <translation>Tokens zu anderen Experten und Gewichte von allem Übrigen: an die Ränge %1</translation>
    </message>
    <message>
        <source>Latents of the sequences that they share, and weights: to ranks %1</source>
        <translation>Latente der gemeinsamen Sequenzen und Gewichte: an die Ränge %1</translation>
    </message>
    <message>
        <source>Activations and their gradients: to its neighbours, ranks %1</source>
        <translation>Aktivierungen und ihre Gradienten: an die Nachbarn, Ränge %1</translation>
    </message>
    <message numerus="yes">
        <source>%n more row(s) below hold the same layers.</source>
        <translation>
            <numerusform>%n weitere Zeile darunter hält dieselben Schichten.</numerusform>
            <numerusform>%n weitere Zeilen darunter halten dieselben Schichten.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>tessera::ui::LoadHistogram</name>
    <message>
        <source>use ratio (1 is fair)</source>
        <translation>Nutzung (1 ist gerecht)</translation>
    </message>
    <message>
        <source>experts</source>
        <translation>Experten</translation>
    </message>
    <message>
        <source>all layers</source>
        <translation>alle Schichten</translation>
    </message>
    <message>
        <source>this layer</source>
        <translation>diese Schicht</translation>
    </message>
    <message>
        <source>Histogram of the loads in this step</source>
        <translation>Histogramm der Lasten in diesem Schritt</translation>
    </message>
    <message>
        <source>%1, times %2</source>
        <translation>%1, mal %2</translation>
    </message>
    <message>
        <source>%1 experts in %2 bins of width %3</source>
        <translation>%1 Experten in %2 Klassen der Breite %3</translation>
    </message>
</context>
<context>
    <name>tessera::ui::LogView</name>
    <message>
        <source>Search these lines</source>
        <translation>In diesen Zeilen suchen</translation>
    </message>
    <message>
        <source>Log</source>
        <translation>Protokoll</translation>
    </message>
    <message>
        <source>Follow</source>
        <translation>Mitlaufen</translation>
    </message>
    <message>
        <source>Keep the newest line in view</source>
        <translation>Die neueste Zeile im Blick behalten</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>Kopieren</translation>
    </message>
    <message numerus="yes">
        <source>%1 line(s)</source>
        <translation>
            <numerusform>%1 Zeile</numerusform>
            <numerusform>%1 Zeilen</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%1 of %2 line(s)</source>
        <translation>
            <numerusform>%1 von %2 Zeile</numerusform>
            <numerusform>%1 von %2 Zeilen</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>tessera::ui::LogsPanel</name>
    <message>
        <source>The log of the run that is picked appears here.</source>
        <translation>Hier erscheint das Protokoll des gewählten Laufs.</translation>
    </message>
    <message>
        <source>Pick a run</source>
        <translation>Lauf wählen</translation>
    </message>
    <message>
        <source>Whose log</source>
        <translation>Wessen Protokoll</translation>
    </message>
    <message>
        <source>Picked run</source>
        <translation>Gewählter Lauf</translation>
    </message>
    <message>
        <source>The studio</source>
        <translation>Das Studio</translation>
    </message>
</context>
<context>
    <name>tessera::ui::LogsTab</name>
    <message>
        <source>log/rank-0.log, this run&apos;s only rank</source>
        <translation>log/rank-0.log, der einzige Rang dieses Laufs</translation>
    </message>
    <message>
        <source>The log holds no line from before step %1.</source>
        <translation>Das Protokoll hat keine Zeile von vor Schritt %1.</translation>
    </message>
    <message>
        <source>At step %1 (%2): the last line written before it ended.</source>
        <translation>Bei Schritt %1 (%2): die letzte Zeile, bevor er endete.</translation>
    </message>
    <message>
        <source>Rank whose log is shown</source>
        <translation>Rang, dessen Log gezeigt wird</translation>
    </message>
    <message>
        <source>Rank %1</source>
        <translation>Rang %1</translation>
    </message>
    <message>
        <source>log/rank-%1.log, one of %2 ranks</source>
        <translation>log/rank-%1.log, einer von %2 Rängen</translation>
    </message>
</context>
<context>
    <name>tessera::ui::MachineSpeed</name>
    <message>
        <source>`tessera bench product` ended with code %1</source>
        <translation>`tessera bench product` endete mit Code %1</translation>
    </message>
</context>
<context>
    <name>tessera::ui::MachineTab</name>
    <message>
        <source>This machine, all of its programs. The run has no process yet.</source>
        <translation>Dieser Rechner mit allen Programmen. Der Lauf hat noch keinen Prozess.</translation>
    </message>
    <message>
        <source>The run is on %1; this is %2, where the studio runs.</source>
        <translation>Der Lauf ist auf %1; dies ist %2, wo das Studio läuft.</translation>
    </message>
    <message>
        <source>This machine, all of its programs. The run does not run now.</source>
        <translation>Dieser Rechner mit allen Programmen. Der Lauf läuft jetzt nicht.</translation>
    </message>
    <message>
        <source>This machine, all of its programs, while the run trains on it.</source>
        <translation>Dieser Rechner mit allen Programmen, während der Lauf darauf trainiert.</translation>
    </message>
</context>
<context>
    <name>tessera::ui::MainWindow</name>
    <message>
        <source>Tessera Studio</source>
        <translation>Tessera Studio</translation>
    </message>
    <message>
        <source>There is no page named %1</source>
        <translation>Es gibt keine Seite namens %1</translation>
    </message>
    <message>
        <source>%1 - Tessera Studio</source>
        <translation>%1 - Tessera Studio</translation>
    </message>
    <message>
        <source>Open a link</source>
        <translation>Link öffnen</translation>
    </message>
    <message>
        <source>A place in the studio, such as run/demo?view=experts&amp;step=120</source>
        <translation>Ein Ort im Studio, etwa run/demo?view=experts&amp;step=120</translation>
    </message>
    <message>
        <source>Open</source>
        <translation>Öffnen</translation>
    </message>
    <message>
        <source>That is no link: %1</source>
        <translation>Das ist kein Link: %1</translation>
    </message>
    <message>
        <source>Pages</source>
        <translation>Seiten</translation>
    </message>
    <message>
        <source>What is picked on the page is explained here.</source>
        <translation>Was auf der Seite gewählt ist, wird hier erklärt.</translation>
    </message>
    <message>
        <source>Inspector</source>
        <translation>Inspektor</translation>
    </message>
    <message>
        <source>Logs</source>
        <translation>Protokolle</translation>
    </message>
    <message>
        <source>Tasks</source>
        <translation>Aufgaben</translation>
    </message>
    <message>
        <source>Problems</source>
        <translation>Probleme</translation>
    </message>
    <message>
        <source>New run</source>
        <translation>Neuer Lauf</translation>
    </message>
    <message>
        <source>Try the demo</source>
        <translation>Demo ausprobieren</translation>
    </message>
    <message>
        <source>Open a link...</source>
        <translation>Link öffnen ...</translation>
    </message>
    <message>
        <source>Quit</source>
        <translation>Beenden</translation>
    </message>
    <message>
        <source>Find anything...</source>
        <translation>Alles finden ...</translation>
    </message>
    <message>
        <source>Back</source>
        <translation>Zurück</translation>
    </message>
    <message>
        <source>Forward</source>
        <translation>Vor</translation>
    </message>
    <message>
        <source>Show or hide the Inspector</source>
        <translation>Inspektor ein- oder ausblenden</translation>
    </message>
    <message>
        <source>Show or hide Logs</source>
        <translation>Protokolle ein- oder ausblenden</translation>
    </message>
    <message>
        <source>Show or hide Tasks</source>
        <translation>Aufgaben ein- oder ausblenden</translation>
    </message>
    <message>
        <source>Show or hide Problems</source>
        <translation>Probleme ein- oder ausblenden</translation>
    </message>
    <message>
        <source>Reset layout</source>
        <translation>Anordnung zurücksetzen</translation>
    </message>
    <message>
        <source>The layout is as it was at first</source>
        <translation>Die Anordnung ist wie am Anfang</translation>
    </message>
    <message>
        <source>Full screen</source>
        <translation>Vollbild</translation>
    </message>
    <message>
        <source>Shortcuts</source>
        <translation>Tastenkürzel</translation>
    </message>
    <message>
        <source>Glossary</source>
        <translation>Glossar</translation>
    </message>
    <message>
        <source>&amp;File</source>
        <translation>&amp;Datei</translation>
    </message>
    <message>
        <source>&amp;Go</source>
        <translation>&amp;Gehe zu</translation>
    </message>
    <message>
        <source>&amp;Page</source>
        <translation>&amp;Seite</translation>
    </message>
    <message>
        <source>No commands here</source>
        <translation>Hier gibt es keine Befehle</translation>
    </message>
    <message>
        <source>&amp;Help</source>
        <translation>&amp;Hilfe</translation>
    </message>
    <message>
        <source>About Tessera Studio</source>
        <translation>Über Tessera Studio</translation>
    </message>
    <message>
        <source>Tessera Studio %1</source>
        <translation>Tessera Studio %1</translation>
    </message>
    <message>
        <source>Trains, watches and talks to models of the DeepSeek-V3 family. MIT licence.</source>
        <translation>Trainiert Modelle der DeepSeek-V3-Familie, sieht ihnen zu und redet mit ihnen. MIT-Lizenz.</translation>
    </message>
    <message>
        <source>&amp;View</source>
        <translation>&amp;Ansicht</translation>
    </message>
    <message>
        <source>Open in a window</source>
        <translation>In einem Fenster öffnen</translation>
    </message>
    <message>
        <source>Theme</source>
        <translation>Farbschema</translation>
    </message>
    <message>
        <source>As the system</source>
        <translation>Wie das System</translation>
    </message>
    <message>
        <source>Light</source>
        <translation>Hell</translation>
    </message>
    <message>
        <source>Dark</source>
        <translation>Dunkel</translation>
    </message>
    <message>
        <source>Theme: %1</source>
        <translation>Farbschema: %1</translation>
    </message>
    <message>
        <source>This page</source>
        <translation>Diese Seite</translation>
    </message>
    <message>
        <source>Page</source>
        <translation>Seite</translation>
    </message>
    <message>
        <source>Command</source>
        <translation>Befehl</translation>
    </message>
    <message>
        <source>Run</source>
        <translation>Lauf</translation>
    </message>
    <message>
        <source>Language</source>
        <translation>Sprache</translation>
    </message>
    <message>
        <source>Data folder</source>
        <translation>Datenordner</translation>
    </message>
    <message>
        <source>Warn when the disk fills</source>
        <translation>Warnen, wenn die Platte voll wird</translation>
    </message>
    <message>
        <source>Lines kept of a log</source>
        <translation>Behaltene Zeilen eines Protokolls</translation>
    </message>
    <message>
        <source>Notifications</source>
        <translation>Benachrichtigungen</translation>
    </message>
    <message>
        <source>Shortcuts of commands</source>
        <translation>Tastenkürzel der Befehle</translation>
    </message>
    <message>
        <source>Setting</source>
        <translation>Einstellung</translation>
    </message>
    <message>
        <source>Commands</source>
        <translation>Befehle</translation>
    </message>
    <message>
        <source>Run finished</source>
        <translation>Lauf fertig</translation>
    </message>
    <message>
        <source>Run failed</source>
        <translation>Lauf fehlgeschlagen</translation>
    </message>
    <message>
        <source>Run needs attention</source>
        <translation>Lauf braucht Aufmerksamkeit</translation>
    </message>
    <message>
        <source>%1: %2 free of %3. A run whose checkpoint finds no room stops.</source>
        <translation>%1: %2 von %3 frei. Ein Lauf, dessen Checkpoint keinen Platz findet, hört auf.</translation>
    </message>
    <message>
        <source>Show runs</source>
        <translation>Läufe zeigen</translation>
    </message>
    <message>
        <source>%1 waits in the queue and cannot start. %2</source>
        <translation>%1 wartet in der Schlange und kann nicht starten. %2</translation>
    </message>
    <message>
        <source>Show the queue</source>
        <translation>Warteschlange zeigen</translation>
    </message>
    <message>
        <source>Copy link to this place</source>
        <translation>Link zu dieser Stelle kopieren</translation>
    </message>
    <message>
        <source>Spec</source>
        <translation>Spec</translation>
    </message>
    <message>
        <source>Show</source>
        <translation>Zeigen</translation>
    </message>
    <message>
        <source>The link is in the clipboard: Ctrl+L opens it</source>
        <translation>Der Link ist in der Zwischenablage: Strg+L öffnet ihn</translation>
    </message>
    <message>
        <source>Training goes on without the studio</source>
        <translation>Das Training läuft ohne das Studio weiter</translation>
    </message>
    <message>
        <source>Still going: %1. They are here again at the next start; Stop, on Home or in Monitor, ends one.</source>
        <translation>Noch im Gang: %1. Beim nächsten Start sind sie wieder da; beendet werden sie mit Anhalten auf der Startseite oder im Monitor.</translation>
    </message>
    <message>
        <source>Do not say this again</source>
        <translation>Das nicht mehr sagen</translation>
    </message>
    <message>
        <source>Stay</source>
        <translation>Bleiben</translation>
    </message>
    <message>
        <source>It was asked to save and stop, as the settings say.</source>
        <translation>Er wurde gebeten, zu sichern und anzuhalten, wie es die Einstellungen sagen.</translation>
    </message>
    <message>
        <source>Nothing is known of jobs of Slurm: %1</source>
        <translation>Über Jobs von Slurm ist nichts bekannt: %1</translation>
    </message>
    <message>
        <source>The server ends with the studio</source>
        <translation>Der Server endet mit dem Studio</translation>
    </message>
    <message numerus="yes">
        <source>It serves %1, and %n request(s) of other programs are under way.</source>
        <translation>
            <numerusform>Er bietet %1 an, und %n Anfrage eines anderen Programms läuft.</numerusform>
            <numerusform>Er bietet %1 an, und %n Anfragen anderer Programme laufen.</numerusform>
        </translation>
    </message>
    <message>
        <source>Stop it and quit</source>
        <translation>Anhalten und beenden</translation>
    </message>
</context>
<context>
    <name>tessera::ui::ManualPage</name>
    <message>
        <source>The manual is not part of this installation.</source>
        <translation>Das Handbuch gehört nicht zu dieser Installation.</translation>
    </message>
    <message>
        <source>Text of the manual</source>
        <translation>Text des Handbuchs</translation>
    </message>
    <message>
        <source>Copy link</source>
        <translation>Link kopieren</translation>
    </message>
    <message>
        <source>Search the manual</source>
        <translation>Im Handbuch suchen</translation>
    </message>
    <message>
        <source>The manual is in English.</source>
        <translation>Das Handbuch ist auf Englisch.</translation>
    </message>
    <message>
        <source>Pages of the manual</source>
        <translation>Seiten des Handbuchs</translation>
    </message>
    <message>
        <source>Nothing in the manual has these words.</source>
        <translation>Nichts im Handbuch enthält diese Wörter.</translation>
    </message>
    <message>
        <source>%1 is not in this manual</source>
        <translation>%1 steht nicht in diesem Handbuch</translation>
    </message>
    <message>
        <source>No browser could be started: the address is in the clipboard</source>
        <translation>Kein Browser ließ sich starten: die Adresse ist in der Zwischenablage</translation>
    </message>
    <message>
        <source>The link is in the clipboard: Ctrl+L opens it</source>
        <translation>Der Link ist in der Zwischenablage: Strg+L öffnet ihn</translation>
    </message>
    <message>
        <source>The manual has no page %1</source>
        <translation>Das Handbuch hat keine Seite %1</translation>
    </message>
</context>
<context>
    <name>tessera::ui::MarkdownView</name>
    <message>
        <source>Code</source>
        <translation>Code</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>Kopieren</translation>
    </message>
</context>
<context>
    <name>tessera::ui::MessageList</name>
    <message>
        <source>Messages</source>
        <translation>Nachrichten</translation>
    </message>
    <message>
        <source>Earlier messages: %1</source>
        <translation>Frühere Nachrichten: %1</translation>
    </message>
</context>
<context>
    <name>tessera::ui::MessageWidget</name>
    <message>
        <source>ended by itself</source>
        <translation>von selbst zu Ende</translation>
    </message>
    <message>
        <source>longest answer reached</source>
        <translation>längste Antwort erreicht</translation>
    </message>
    <message>
        <source>context full</source>
        <translation>Kontext voll</translation>
    </message>
    <message>
        <source>stopped</source>
        <translation>beendet</translation>
    </message>
    <message>
        <source>failed</source>
        <translation>fehlgeschlagen</translation>
    </message>
    <message>
        <source>1 token</source>
        <translation>1 Token</translation>
    </message>
    <message>
        <source>%1 tokens</source>
        <translation>%1 Tokens</translation>
    </message>
    <message>
        <source>Branch before</source>
        <translation>Zweig davor</translation>
    </message>
    <message>
        <source>Branch after</source>
        <translation>Zweig danach</translation>
    </message>
    <message>
        <source>Copy text</source>
        <translation>Text kopieren</translation>
    </message>
    <message>
        <source>Regenerate as a branch</source>
        <translation>Als Zweig neu erzeugen</translation>
    </message>
    <message>
        <source>Edit as a branch</source>
        <translation>Als Zweig bearbeiten</translation>
    </message>
    <message>
        <source>You</source>
        <translation>Sie</translation>
    </message>
    <message>
        <source>Branch %1 of %2</source>
        <translation>Zweig %1 von %2</translation>
    </message>
    <message>
        <source>This is the first branch</source>
        <translation>Das ist der erste Zweig</translation>
    </message>
    <message>
        <source>This is the last branch</source>
        <translation>Das ist der letzte Zweig</translation>
    </message>
    <message>
        <source>Answer</source>
        <translation>Antwort</translation>
    </message>
    <message>
        <source>Your message</source>
        <translation>Ihre Nachricht</translation>
    </message>
    <message>
        <source>Edited message</source>
        <translation>Bearbeitete Nachricht</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>Send as a branch</source>
        <translation>Als Zweig senden</translation>
    </message>
    <message>
        <source>Continue this answer</source>
        <translation>Diese Antwort fortsetzen</translation>
    </message>
    <message>
        <source>The answer failed: %1</source>
        <translation>Die Antwort ist fehlgeschlagen: %1</translation>
    </message>
    <message>
        <source>Edit the message</source>
        <translation>Nachricht bearbeiten</translation>
    </message>
    <message>
        <source>Try again</source>
        <translation>Erneut versuchen</translation>
    </message>
</context>
<context>
    <name>tessera::ui::ModelServer</name>
    <message>
        <source>Another program has port %1. Choose another one, or 0 for any that is free.</source>
        <translation>Ein anderes Programm hat Port %1. Einen anderen wählen, oder 0 für irgendeinen freien.</translation>
    </message>
    <message>
        <source>There is no key: %1</source>
        <translation>Es gibt keinen Schlüssel: %1</translation>
    </message>
    <message>
        <source>%1 could not be started: %2. Is the program installed beside the studio?</source>
        <translation>%1 konnte nicht gestartet werden: %2. Ist das Programm neben dem Studio installiert?</translation>
    </message>
    <message>
        <source>The server was ended by signal %1</source>
        <translation>Der Server wurde durch Signal %1 beendet</translation>
    </message>
    <message>
        <source>The server ended with code %1</source>
        <translation>Der Server endete mit Code %1</translation>
    </message>
    <message>
        <source> (often: too little memory)</source>
        <translation> (oft: zu wenig Speicher)</translation>
    </message>
</context>
<context>
    <name>tessera::ui::MonitorPage</name>
    <message>
        <source>Pick a run to watch it.</source>
        <translation>Einen Lauf wählen, um ihm zuzusehen.</translation>
    </message>
    <message>
        <source>Choose a run</source>
        <translation>Lauf wählen</translation>
    </message>
    <message>
        <source>Parts of the run</source>
        <translation>Teile des Laufs</translation>
    </message>
    <message>
        <source>Charts</source>
        <translation>Diagramme</translation>
    </message>
    <message>
        <source>Ranks</source>
        <translation>Ränge</translation>
    </message>
    <message>
        <source>Logs</source>
        <translation>Protokolle</translation>
    </message>
    <message>
        <source>Checkpoints</source>
        <translation>Checkpoints</translation>
    </message>
    <message>
        <source>Samples</source>
        <translation>Proben</translation>
    </message>
    <message>
        <source>Spec as run</source>
        <translation>Spec wie gelaufen</translation>
    </message>
    <message>
        <source>Run: save a checkpoint and stop</source>
        <translation>Lauf: Checkpoint speichern und beenden</translation>
    </message>
    <message>
        <source>Run: stop now, without saving</source>
        <translation>Lauf: sofort beenden, ohne zu speichern</translation>
    </message>
    <message>
        <source>Run: save a checkpoint now</source>
        <translation>Lauf: jetzt einen Checkpoint speichern</translation>
    </message>
    <message>
        <source>Run: pause or continue</source>
        <translation>Lauf: anhalten oder weiter</translation>
    </message>
    <message>
        <source>Run: resume</source>
        <translation>Lauf: fortsetzen</translation>
    </message>
    <message>
        <source>Run: resume as a fork</source>
        <translation>Lauf: als Abzweig fortsetzen</translation>
    </message>
    <message>
        <source>Run: open in Chat</source>
        <translation>Lauf: im Chat öffnen</translation>
    </message>
    <message>
        <source>Run: show experts</source>
        <translation>Lauf: Experten zeigen</translation>
    </message>
    <message>
        <source>Run: save everything logged (CSV)</source>
        <translation>Lauf: alles Geloggte sichern (CSV)</translation>
    </message>
    <message>
        <source>Experts here</source>
        <translation>Experten hier</translation>
    </message>
    <message>
        <source>How tokens spread over the experts at this step</source>
        <translation>Wie sich die Tokens in diesem Schritt auf die Experten verteilen</translation>
    </message>
    <message>
        <source>Log here</source>
        <translation>Protokoll hier</translation>
    </message>
    <message>
        <source>What the run wrote at this step</source>
        <translation>Was der Lauf in diesem Schritt schrieb</translation>
    </message>
    <message>
        <source>Checkpoint before</source>
        <translation>Checkpoint davor</translation>
    </message>
    <message>
        <source>The newest checkpoint that is not after this step</source>
        <translation>Der neueste Checkpoint, der nicht nach diesem Schritt liegt</translation>
    </message>
    <message>
        <source>Pick no step</source>
        <translation>Keinen Schritt wählen</translation>
    </message>
    <message>
        <source>Step %1</source>
        <translation>Schritt %1</translation>
    </message>
    <message>
        <source>loss</source>
        <translation>Loss</translation>
    </message>
    <message>
        <source>gradient norm</source>
        <translation>Gradientennorm</translation>
    </message>
    <message>
        <source>learning rate</source>
        <translation>Lernrate</translation>
    </message>
    <message>
        <source>a spike: usually %1</source>
        <translation>ein Ausschlag: üblich ist %1</translation>
    </message>
    <message>
        <source>The run %1 is not in the library.</source>
        <translation>Der Lauf %1 ist nicht in der Bibliothek.</translation>
    </message>
    <message>
        <source>Looking for the run.</source>
        <translation>Der Lauf wird gesucht.</translation>
    </message>
    <message>
        <source>Pick a run, and it is watched here while it trains and after.</source>
        <translation>Einen Lauf wählen: hier ist er zu sehen, während er trainiert und danach.</translation>
    </message>
    <message>
        <source>Ranks here</source>
        <translation>Ränge hier</translation>
    </message>
    <message>
        <source>What each rank did at this step</source>
        <translation>Was jeder Rang in diesem Schritt tat</translation>
    </message>
    <message>
        <source>Machine</source>
        <translation>Rechner</translation>
    </message>
    <message>
        <source>The folder of %1 is gone. It was %2. Move it back, and the run is here again.</source>
        <translation>Der Ordner von %1 ist weg. Es war %2. Legen Sie ihn zurück, und der Lauf ist wieder hier.</translation>
    </message>
    <message>
        <source>Timeline</source>
        <translation>Zeitverlauf</translation>
    </message>
</context>
<context>
    <name>tessera::ui::NewSweepDialog</name>
    <message>
        <source>New sweep</source>
        <translation>Neue Reihe</translation>
    </message>
    <message>
        <source>Name a key and its values first</source>
        <translation>Zuerst einen Schlüssel und seine Werte nennen</translation>
    </message>
    <message>
        <source>Spec</source>
        <translation>Spec</translation>
    </message>
    <message>
        <source>Tag</source>
        <translation>Schlagwort</translation>
    </message>
    <message>
        <source>All runs of the sweep have it. The tag of a sweep that is there adds runs to it.</source>
        <translation>Alle Läufe der Reihe haben es. Das Schlagwort einer Reihe, die es schon gibt, fügt ihr Läufe hinzu.</translation>
    </message>
    <message>
        <source>Keys that differ</source>
        <translation>Schlüssel, die sich unterscheiden</translation>
    </message>
    <message>
        <source>Values: 0.5, 1  or a range: 1e-4..1e-2:log:5  or whole numbers: 1..4</source>
        <translation>Werte: 0.5, 1  oder ein Bereich: 1e-4..1e-2:log:5  oder ganze Zahlen: 1..4</translation>
    </message>
    <message>
        <source>Add a key</source>
        <translation>Schlüssel hinzufügen</translation>
    </message>
    <message>
        <source>every combination</source>
        <translation>jede Kombination</translation>
    </message>
    <message>
        <source>a quarter of a run</source>
        <translation>ein Viertel eines Laufs</translation>
    </message>
    <message>
        <source>none</source>
        <translation>keine</translation>
    </message>
    <message>
        <source>those above the median of the others</source>
        <translation>die über dem Median der anderen</translation>
    </message>
    <message>
        <source>the worse half at each rung (halving)</source>
        <translation>auf jeder Stufe die schlechtere Hälfte (Halbieren)</translation>
    </message>
    <message>
        <source>Seeds of each</source>
        <translation>Startwerte je Lauf</translation>
    </message>
    <message>
        <source>Runs drawn by chance</source>
        <translation>Zufällig gezogene Läufe</translation>
    </message>
    <message>
        <source>Stop those that fall behind</source>
        <translation>Zurückfallende anhalten</translation>
    </message>
    <message>
        <source>Steps before one is stopped</source>
        <translation>Schritte, bevor einer angehalten wird</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>Queue the runs</source>
        <translation>Läufe einreihen</translation>
    </message>
    <message>
        <source>No run is stopped</source>
        <translation>Kein Lauf wird angehalten</translation>
    </message>
    <message>
        <source>Key</source>
        <translation>Schlüssel</translation>
    </message>
    <message>
        <source>Values</source>
        <translation>Werte</translation>
    </message>
    <message>
        <source>Remove this key</source>
        <translation>Diesen Schlüssel entfernen</translation>
    </message>
    <message>
        <source>as the run %1</source>
        <translation>wie der Lauf %1</translation>
    </message>
    <message>
        <source>%1, in Configure</source>
        <translation>%1, in Konfigurieren</translation>
    </message>
    <message>
        <source>preset %1</source>
        <translation>Vorlage %1</translation>
    </message>
    <message>
        <source>There is no spec to begin from.</source>
        <translation>Es gibt keine Spec, mit der begonnen werden kann.</translation>
    </message>
    <message>
        <source>The runs are being counted</source>
        <translation>Die Läufe werden gezählt</translation>
    </message>
    <message>
        <source>Name a key and its values, or more than one seed.</source>
        <translation>Einen Schlüssel und seine Werte nennen, oder mehr als einen Startwert.</translation>
    </message>
    <message>
        <source>Nothing differs between the runs yet</source>
        <translation>Noch unterscheiden sich die Läufe in nichts</translation>
    </message>
    <message numerus="yes">
        <source>%n run(s). The first: %1</source>
        <translation>
            <numerusform>%n Lauf. Der erste: %1</numerusform>
            <numerusform>%n Läufe. Der erste: %1</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Queue %n run(s)</source>
        <translation>
            <numerusform>%n Lauf einreihen</numerusform>
            <numerusform>%n Läufe einreihen</numerusform>
        </translation>
    </message>
    <message>
        <source>The runs are being made</source>
        <translation>Die Läufe werden angelegt</translation>
    </message>
</context>
<context>
    <name>tessera::ui::NumbersExport</name>
    <message numerus="yes">
        <source>Exporting %n runs</source>
        <translation>
            <numerusform>%n Lauf wird exportiert</numerusform>
            <numerusform>%n Läufe werden exportiert</numerusform>
        </translation>
    </message>
    <message>
        <source>cancelled</source>
        <translation>abgebrochen</translation>
    </message>
    <message>
        <source>There is no run %1 any more.</source>
        <translation>Den Lauf %1 gibt es nicht mehr.</translation>
    </message>
    <message>
        <source>Exported to %1</source>
        <translation>Nach %1 exportiert</translation>
    </message>
    <message>
        <source>The export ended early. %1</source>
        <translation>Der Export endete vorzeitig. %1</translation>
    </message>
    <message>
        <source>Exported to %1. %2</source>
        <translation>Exportiert nach %1. %2</translation>
    </message>
</context>
<context>
    <name>tessera::ui::Palette</name>
    <message>
        <source>Find a command, page, run or setting</source>
        <translation>Befehl, Seite, Lauf oder Einstellung finden</translation>
    </message>
    <message>
        <source>Nothing is called that.</source>
        <translation>Nichts heißt so.</translation>
    </message>
    <message>
        <source>Palette</source>
        <translation>Palette</translation>
    </message>
    <message>
        <source>What was found</source>
        <translation>Fundstellen</translation>
    </message>
</context>
<context>
    <name>tessera::ui::PictureDialog</name>
    <message>
        <source>Save %1 as a picture</source>
        <translation>%1 als Bild sichern</translation>
    </message>
    <message>
        <source> px</source>
        <translation> px</translation>
    </message>
    <message>
        <source>1 (screen)</source>
        <translation>1 (Bildschirm)</translation>
    </message>
    <message>
        <source>2 (sharp)</source>
        <translation>2 (scharf)</translation>
    </message>
    <message>
        <source>3 (print)</source>
        <translation>3 (Druck)</translation>
    </message>
    <message>
        <source>Preview</source>
        <translation>Vorschau</translation>
    </message>
    <message>
        <source>&amp;Width</source>
        <translation>&amp;Breite</translation>
    </message>
    <message>
        <source>&amp;Height</source>
        <translation>&amp;Höhe</translation>
    </message>
    <message>
        <source>&amp;Scale</source>
        <translation>&amp;Maßstab</translation>
    </message>
    <message>
        <source>File</source>
        <translation>Datei</translation>
    </message>
    <message>
        <source>Save picture...</source>
        <translation>Bild sichern ...</translation>
    </message>
    <message>
        <source>%1 x %2 pixels, PNG</source>
        <translation>%1 x %2 Bildpunkte, PNG</translation>
    </message>
    <message>
        <source>Save picture</source>
        <translation>Bild sichern</translation>
    </message>
    <message>
        <source>PNG (*.png)</source>
        <translation>PNG (*.png)</translation>
    </message>
</context>
<context>
    <name>tessera::ui::PlaceBar</name>
    <message>
        <source>Where the run starts</source>
        <translation>Wo der Lauf startet</translation>
    </message>
    <message>
        <source>a:4,b:4 or node[01-04]:8</source>
        <translation>a:4,b:4 oder node[01-04]:8</translation>
    </message>
    <message>
        <source>Hosts, each with its ranks</source>
        <translation>Rechner, jeder mit seinen Rängen</translation>
    </message>
    <message>
        <source>Names that ssh knows, each with its number of ranks. The first host has rank 0.</source>
        <translation>Namen, die ssh kennt, jeder mit seiner Zahl von Rängen. Der erste Rechner hat Rang 0.</translation>
    </message>
    <message>
        <source>Kept hosts</source>
        <translation>Gemerkte Rechner</translation>
    </message>
    <message>
        <source>Send the program</source>
        <translation>Programm senden</translation>
    </message>
    <message>
        <source>Sends this program to those of the hosts that do not have it</source>
        <translation>Sendet dieses Programm an die Rechner, die es nicht haben</translation>
    </message>
    <message>
        <source>Folder of runs there</source>
        <translation>Ordner der Läufe dort</translation>
    </message>
    <message>
        <source>A folder that all of them see. Left empty, it is the usual one.</source>
        <translation>Ein Ordner, den alle sehen. Leer gelassen, ist es der übliche.</translation>
    </message>
    <message>
        <source>Script...</source>
        <translation>Skript...</translation>
    </message>
    <message>
        <source>What Slurm is given; it can be edited</source>
        <translation>Was Slurm bekommt; es kann bearbeitet werden</translation>
    </message>
    <message>
        <source>Progress of the start</source>
        <translation>Fortschritt des Starts</translation>
    </message>
    <message>
        <source>Cancel the start</source>
        <translation>Start abbrechen</translation>
    </message>
    <message>
        <source>It is being cancelled</source>
        <translation>Er wird abgebrochen</translation>
    </message>
    <message>
        <source>Cancelling: what was begun there is taken back</source>
        <translation>Wird abgebrochen: was dort begonnen wurde, wird zurückgenommen</translation>
    </message>
    <message>
        <source>This machine</source>
        <translation>Dieser Rechner</translation>
    </message>
    <message>
        <source>Hosts</source>
        <translation>Rechner</translation>
    </message>
    <message>
        <source>Slurm: %1</source>
        <translation>Slurm: %1</translation>
    </message>
    <message numerus="yes">
        <source>%1 (%n problem(s))</source>
        <translation>
            <numerusform>%1 (%n Problem)</numerusform>
            <numerusform>%1 (%n Probleme)</numerusform>
        </translation>
    </message>
    <message>
        <source>All of them</source>
        <translation>Alle</translation>
    </message>
    <message>
        <source>Add and check hosts...</source>
        <translation>Rechner hinzufügen und prüfen...</translation>
    </message>
    <message>
        <source>A fork starts on this machine or on hosts, not as a job.</source>
        <translation>Ein Abzweig startet auf diesem Rechner oder auf anderen, nicht als Auftrag von Slurm.</translation>
    </message>
    <message numerus="yes">
        <source>%n rank(s), parallel.data = %1</source>
        <translation>
            <numerusform>%n Rang, parallel.data = %1</numerusform>
            <numerusform>%n Ränge, parallel.data = %1</numerusform>
        </translation>
    </message>
    <message>
        <source>The profile cannot give one</source>
        <translation>Das Profil kann keines ergeben</translation>
    </message>
    <message>
        <source>Starting</source>
        <translation>Wird gestartet</translation>
    </message>
    <message>
        <source>There is no profile %1 any more; choose another place, or make the profile again on the page Hosts</source>
        <translation>Das Profil %1 gibt es nicht mehr; einen anderen Ort wählen oder das Profil auf der Seite Rechner neu anlegen</translation>
    </message>
</context>
<context>
    <name>tessera::ui::PlacementPanel</name>
    <message>
        <source>Tokens by rank</source>
        <translation>Tokens je Rang</translation>
    </message>
    <message>
        <source>all layers</source>
        <translation>alle Schichten</translation>
    </message>
    <message>
        <source>Place among the ranks of experts</source>
        <translation>Platz unter den Rängen der Experten</translation>
    </message>
    <message>
        <source>mean</source>
        <translation>Mittel</translation>
    </message>
    <message>
        <source>%1 ranks share the experts; each holds %2 of every layer that it has.</source>
        <translation>%1 Ränge teilen sich die Experten; jeder hält %2 von jeder Schicht, die er hat.</translation>
    </message>
    <message>
        <source>The fullest gets %1 times the mean.</source>
        <translation>Der vollste bekommt das %1-fache des Mittels.</translation>
    </message>
    <message>
        <source>%1 went to experts of other ranks and back in the step.</source>
        <translation>%1 gingen in dem Schritt zu Experten anderer Ränge und zurück.</translation>
    </message>
    <message>
        <source>A token reached %1 of %2 ranks in a layer; it takes %3 experts.</source>
        <translation>Ein Token erreichte in einer Schicht %1 von %2 Rängen; es nimmt %3 Experten.</translation>
    </message>
    <message>
        <source>place %1 · ranks %2 · experts %3 to %4 · %5 tokens · %6 of the mean</source>
        <translation>Platz %1 · Ränge %2 · Experten %3 bis %4 · %5 Tokens · %6 des Mittels</translation>
    </message>
</context>
<context>
    <name>tessera::ui::PlanPane</name>
    <message>
        <source>measured</source>
        <translation>gemessen</translation>
    </message>
    <message>
        <source>estimate</source>
        <translation>Schätzung</translation>
    </message>
    <message>
        <source>published by others</source>
        <translation>von anderen veröffentlicht</translation>
    </message>
    <message>
        <source>given</source>
        <translation>gegeben</translation>
    </message>
    <message>
        <source>not measured</source>
        <translation>nicht gemessen</translation>
    </message>
    <message>
        <source>Parameters</source>
        <translation>Parameter</translation>
    </message>
    <message>
        <source>in all</source>
        <translation>insgesamt</translation>
    </message>
    <message>
        <source>active per token</source>
        <translation>aktiv je Token</translation>
    </message>
    <message>
        <source>Parameters by group</source>
        <translation>Parameter nach Gruppe</translation>
    </message>
    <message>
        <source>Memory of a rank</source>
        <translation>Speicher eines Rangs</translation>
    </message>
    <message>
        <source>needed</source>
        <translation>nötig</translation>
    </message>
    <message>
        <source>Memory by term</source>
        <translation>Speicher nach Posten</translation>
    </message>
    <message>
        <source>What recomputation saves</source>
        <translation>Was Neuberechnung spart</translation>
    </message>
    <message>
        <source>Recomputation</source>
        <translation>Neuberechnung</translation>
    </message>
    <message>
        <source>%1, chosen</source>
        <translation>%1, gewählt</translation>
    </message>
    <message>
        <source>%1 for %2</source>
        <translation>%1 für %2</translation>
    </message>
    <message>
        <source>%1 (%2): saves %3 for %4 more per token, %5 of a step</source>
        <translation>%1 (%2): spart %3 für %4 mehr je Token, %5 eines Schritts</translation>
    </message>
    <message>
        <source>available</source>
        <translation>vorhanden</translation>
    </message>
    <message>
        <source>Memory that a rank may use, in GB</source>
        <translation>Speicher, den ein Rang nutzen darf, in GB</translation>
    </message>
    <message>
        <source>this machine&apos;s</source>
        <translation>der dieses Rechners</translation>
    </message>
    <message>
        <source> GB</source>
        <translation> GB</translation>
    </message>
    <message>
        <source>a checkpoint on disk</source>
        <translation>ein Checkpoint auf der Platte</translation>
    </message>
    <message>
        <source>Cache per token</source>
        <translation>Cache je Token</translation>
    </message>
    <message>
        <source>values</source>
        <translation>Werte</translation>
    </message>
    <message>
        <source>Speed</source>
        <translation>Tempo</translation>
    </message>
    <message>
        <source>operations per token</source>
        <translation>Operationen je Token</translation>
    </message>
    <message>
        <source>tokens/s</source>
        <translation>Tokens/s</translation>
    </message>
    <message>
        <source>a step</source>
        <translation>ein Schritt</translation>
    </message>
    <message>
        <source>Measure this machine</source>
        <translation>Diesen Rechner messen</translation>
    </message>
    <message>
        <source>Times one large product, as `tessera bench product` does: a second</source>
        <translation>Misst ein großes Produkt, wie `tessera bench product`: eine Sekunde</translation>
    </message>
    <message>
        <source>Time and cost</source>
        <translation>Zeit und Kosten</translation>
    </message>
    <message>
        <source>the whole run</source>
        <translation>der ganze Lauf</translation>
    </message>
    <message>
        <source>Time by stage</source>
        <translation>Zeit nach Stufe</translation>
    </message>
    <message>
        <source>price of a device</source>
        <translation>Preis eines Geräts</translation>
    </message>
    <message>
        <source>Price of one GPU, or of this machine, for an hour, in dollars</source>
        <translation>Preis einer GPU oder dieses Rechners für eine Stunde, in Dollar</translation>
    </message>
    <message>
        <source>$ </source>
        <translation>$ </translation>
    </message>
    <message>
        <source> / h</source>
        <translation> / h</translation>
    </message>
    <message>
        <source>cost</source>
        <translation>Kosten</translation>
    </message>
    <message>
        <source>Measuring…</source>
        <translation>Wird gemessen …</translation>
    </message>
    <message>
        <source>It is being measured</source>
        <translation>Wird gerade gemessen</translation>
    </message>
    <message>
        <source>Planning…</source>
        <translation>Wird geplant …</translation>
    </message>
    <message>
        <source>1 problem</source>
        <translation>1 Problem</translation>
    </message>
    <message>
        <source>%1 problems</source>
        <translation>%1 Probleme</translation>
    </message>
    <message>
        <source>Ready to launch</source>
        <translation>Startbereit</translation>
    </message>
    <message>
        <source>Ready, 1 warning</source>
        <translation>Bereit, 1 Warnung</translation>
    </message>
    <message>
        <source>Ready, %1 warnings</source>
        <translation>Bereit, %1 Warnungen</translation>
    </message>
    <message>
        <source>in all, and %1 of MTP</source>
        <translation>insgesamt, und %1 für MTP</translation>
    </message>
    <message>
        <source>%1: %2, of these %3 active</source>
        <translation>%1: %2, davon %3 aktiv</translation>
    </message>
    <message>
        <source>values, %1 of standard</source>
        <translation>Werte, %1 der üblichen</translation>
    </message>
    <message>
        <source>Standard multi-head attention of this shape keeps %1 values, with 8 groups of keys and values %2 (%3)</source>
        <translation>Übliche Attention dieser Form behält %1 Werte, mit 8 Gruppen von Schlüsseln und Werten %2 (%3)</translation>
    </message>
    <message>
        <source>Exact: a dry run of the trainer&apos;s own step.</source>
        <translation>Genau: ein Probelauf des Schritts, den der Trainer macht.</translation>
    </message>
    <message>
        <source>An estimate.</source>
        <translation>Eine Schätzung.</translation>
    </message>
    <message>
        <source>tokens/s of %1 ranks, %2</source>
        <translation>Tokens/s von %1 Rängen, %2</translation>
    </message>
    <message>
        <source>tokens/s, %1</source>
        <translation>Tokens/s, %1</translation>
    </message>
    <message>
        <source>%1 steps, %2</source>
        <translation>%1 Schritte, %2</translation>
    </message>
    <message>
        <source>$ %1</source>
        <translation>$ %1</translation>
    </message>
    <message>
        <source>cost of %1 device hours</source>
        <translation>Kosten von %1 Gerätestunden</translation>
    </message>
    <message>
        <source>%1: %2 steps, %3, %4 per token</source>
        <translation>%1: %2 Schritte, %3, %4 je Token</translation>
    </message>
    <message>
        <source>needed of %1 available</source>
        <translation>nötig von %1 verfügbaren</translation>
    </message>
    <message>
        <source>%1 steps left, %2</source>
        <translation>noch %1 Schritte, %2</translation>
    </message>
    <message>
        <source>The place does not fit</source>
        <translation>Der Ort passt nicht</translation>
    </message>
</context>
<context>
    <name>tessera::ui::ProblemLine</name>
    <message>
        <source>Fix</source>
        <translation>Beheben</translation>
    </message>
    <message>
        <source>Fix: %1</source>
        <translation>Beheben: %1</translation>
    </message>
    <message>
        <source>line %1: %2</source>
        <translation>Zeile %1: %2</translation>
    </message>
    <message>
        <source>Show</source>
        <translation>Zeigen</translation>
    </message>
    <message>
        <source>Goes to the setting or line that this is about</source>
        <translation>Führt zur Einstellung oder Zeile, um die es geht</translation>
    </message>
</context>
<context>
    <name>tessera::ui::ProblemsPanel</name>
    <message>
        <source>No problems.</source>
        <translation>Keine Probleme.</translation>
    </message>
    <message>
        <source>Since %1</source>
        <translation>Seit %1</translation>
    </message>
</context>
<context>
    <name>tessera::ui::ProfileDialog</name>
    <message>
        <source>New profile for Slurm</source>
        <translation>Neues Profil für Slurm</translation>
    </message>
    <message>
        <source>Profile %1</source>
        <translation>Profil %1</translation>
    </message>
    <message>
        <source>gpu</source>
        <translation>gpu</translation>
    </message>
    <message>
        <source>By it the profile is chosen: letters, digits, - and _</source>
        <translation>Unter ihm wird das Profil gewählt: Buchstaben, Ziffern, - und _</translation>
    </message>
    <message>
        <source>Name</source>
        <translation>Name</translation>
    </message>
    <message>
        <source>Save</source>
        <translation>Speichern</translation>
    </message>
    <message>
        <source>Give it a name first</source>
        <translation>Ihm erst einen Namen geben</translation>
    </message>
    <message>
        <source>It is being saved</source>
        <translation>Es wird gespeichert</translation>
    </message>
</context>
<context>
    <name>tessera::ui::QueueModel</name>
    <message>
        <source>Cannot start: %1</source>
        <translation>Startet nicht: %1</translation>
    </message>
    <message>
        <source>Starting</source>
        <translation>Startet</translation>
    </message>
    <message>
        <source>The queue is paused</source>
        <translation>Die Warteschlange ist angehalten</translation>
    </message>
    <message>
        <source>Waits for its turn</source>
        <translation>Wartet, bis er dran ist</translation>
    </message>
    <message>
        <source>Starts now</source>
        <translation>Startet jetzt</translation>
    </message>
    <message>
        <source>Starts when %1 has ended</source>
        <translation>Startet, wenn %1 zu Ende ist</translation>
    </message>
    <message>
        <source>Fork of %1</source>
        <translation>Abzweig von %1</translation>
    </message>
    <message>
        <source>New run</source>
        <translation>Neuer Lauf</translation>
    </message>
    <message>
        <source>Goes on with %1</source>
        <translation>Geht weiter mit %1</translation>
    </message>
    <message>
        <source>Run</source>
        <translation>Lauf</translation>
    </message>
    <message>
        <source>What</source>
        <translation>Was</translation>
    </message>
    <message>
        <source>Standing</source>
        <translation>Stand</translation>
    </message>
    <message>
        <source>Starts when its hosts are free</source>
        <translation>Startet, wenn seine Rechner frei sind</translation>
    </message>
    <message>
        <source>This machine</source>
        <translation>Dieser Rechner</translation>
    </message>
    <message>
        <source>Where</source>
        <translation>Wo</translation>
    </message>
</context>
<context>
    <name>tessera::ui::QueueView</name>
    <message>
        <source>Entries survive restarts of the studio. %1</source>
        <translation>Einträge überstehen Neustarts des Studios. %1</translation>
    </message>
    <message>
        <source>Configure a run</source>
        <translation>Lauf konfigurieren</translation>
    </message>
    <message>
        <source>Runs that wait</source>
        <translation>Wartende Läufe</translation>
    </message>
    <message>
        <source>Pause the queue</source>
        <translation>Anhalten</translation>
    </message>
    <message>
        <source>Move up</source>
        <translation>Nach oben</translation>
    </message>
    <message>
        <source>Move down</source>
        <translation>Nach unten</translation>
    </message>
    <message>
        <source>Try again</source>
        <translation>Erneut</translation>
    </message>
    <message>
        <source>Remove</source>
        <translation>Entfernen</translation>
    </message>
    <message>
        <source>Alt+Up</source>
        <translation>Alt+Auf</translation>
    </message>
    <message>
        <source>Alt+Down</source>
        <translation>Alt+Ab</translation>
    </message>
    <message>
        <source>Delete</source>
        <translation>Löschen</translation>
    </message>
    <message>
        <source>%1 was taken out of the queue</source>
        <translation>%1 wurde aus der Schlange genommen</translation>
    </message>
    <message>
        <source>Go on with the queue</source>
        <translation>Fortsetzen</translation>
    </message>
    <message>
        <source>Choose an entry first</source>
        <translation>Zuerst einen Eintrag wählen</translation>
    </message>
    <message>
        <source>It is the first</source>
        <translation>Es ist das erste</translation>
    </message>
    <message>
        <source>It is the last</source>
        <translation>Es ist das letzte</translation>
    </message>
    <message>
        <source>It has not failed to start</source>
        <translation>Sein Start ist nicht fehlgeschlagen</translation>
    </message>
    <message>
        <source>No run is running on this machine</source>
        <translation>Auf diesem Rechner läuft kein Lauf</translation>
    </message>
    <message>
        <source>Running here: %1</source>
        <translation>Hier läuft: %1</translation>
    </message>
    <message>
        <source>No run waits. Configure one and choose “Enqueue”.</source>
        <translation>Kein Lauf wartet. Einen konfigurieren und „Einreihen“ wählen.</translation>
    </message>
    <message>
        <source>Show its sweep</source>
        <translation>Seine Reihe zeigen</translation>
    </message>
</context>
<context>
    <name>tessera::ui::Rail</name>
    <message>
        <source>Pages</source>
        <translation>Seiten</translation>
    </message>
</context>
<context>
    <name>tessera::ui::RankGrid</name>
    <message>
        <source>Ranks by colour; the table below has the same numbers</source>
        <translation>Ränge nach Farbe; die Tabelle darunter hat dieselben Zahlen</translation>
    </message>
    <message>
        <source>Not measured</source>
        <translation>Nicht gemessen</translation>
    </message>
    <message>
        <source>All: %1</source>
        <translation>Alle: %1</translation>
    </message>
</context>
<context>
    <name>tessera::ui::RankMap</name>
    <message>
        <source>Ranks and what they hold; the text below tells of the one that is chosen</source>
        <translation>Ränge und was sie halten; der Text darunter beschreibt den gewählten</translation>
    </message>
    <message>
        <source>token table</source>
        <translation>Token-Tabelle</translation>
    </message>
    <message>
        <source>layer %1</source>
        <translation>Schicht %1</translation>
    </message>
    <message>
        <source>layers %1-%2</source>
        <translation>Schichten %1-%2</translation>
    </message>
    <message>
        <source>head, MTP</source>
        <translation>Kopf, MTP</translation>
    </message>
    <message>
        <source>head</source>
        <translation>Kopf</translation>
    </message>
    <message>
        <source>experts %1-%2</source>
        <translation>Experten %1-%2</translation>
    </message>
    <message>
        <source>rank %1</source>
        <translation>Rang %1</translation>
    </message>
</context>
<context>
    <name>tessera::ui::RanksTab</name>
    <message>
        <source>This run has a single rank: one process trains all of the model. Nothing waits for another rank.</source>
        <translation>Dieser Lauf hat einen einzigen Rang: ein Prozess trainiert das ganze Modell. Nichts wartet auf einen anderen Rang.</translation>
    </message>
    <message>
        <source>Rank</source>
        <translation>Rang</translation>
    </message>
    <message>
        <source>State</source>
        <translation>Zustand</translation>
    </message>
    <message>
        <source>Host</source>
        <translation>Rechner</translation>
    </message>
    <message>
        <source>Process</source>
        <translation>Prozess</translation>
    </message>
    <message>
        <source>Step</source>
        <translation>Schritt</translation>
    </message>
    <message>
        <source>Memory</source>
        <translation>Speicher</translation>
    </message>
    <message>
        <source>Last word</source>
        <translation>Letztes Wort</translation>
    </message>
    <message>
        <source>Ranks</source>
        <translation>Ränge</translation>
    </message>
    <message>
        <source>At step %1. %2</source>
        <translation>Bei Schritt %1. %2</translation>
    </message>
    <message>
        <source>Show its log</source>
        <translation>Sein Log zeigen</translation>
    </message>
    <message>
        <source>Choose a rank first</source>
        <translation>Wählen Sie zuerst einen Rang</translation>
    </message>
    <message>
        <source>Own work</source>
        <translation>Eigene Arbeit</translation>
    </message>
    <message>
        <source>What the colours show</source>
        <translation>Was die Farben zeigen</translation>
    </message>
    <message>
        <source>Own work a step</source>
        <translation>Eigene Arbeit je Schritt</translation>
    </message>
    <message>
        <source>In calls</source>
        <translation>In Aufrufen</translation>
    </message>
    <message>
        <source>Seconds a step outside of calls to other ranks: the rank with most of it comes last to every call, and the others wait for it</source>
        <translation>Sekunden je Schritt außerhalb von Aufrufen an andere Ränge: Der Rang mit den meisten kommt zu jedem Aufruf als Letzter, und die anderen warten auf ihn</translation>
    </message>
    <message>
        <source>The share of a step that the rank spends in calls to other ranks, waiting or sending</source>
        <translation>Der Anteil eines Schritts, den der Rang wartend oder sendend in Aufrufen an andere Ränge verbringt</translation>
    </message>
    <message>
        <source>Colours show</source>
        <translation>Die Farben zeigen</translation>
    </message>
    <message>
        <source>failed</source>
        <translation>fehlgeschlagen</translation>
    </message>
    <message>
        <source>ended</source>
        <translation>beendet</translation>
    </message>
    <message>
        <source>gone</source>
        <translation>verschwunden</translation>
    </message>
    <message>
        <source>Its process is not there any more, and left no word</source>
        <translation>Sein Prozess ist nicht mehr da und hat kein Wort hinterlassen</translation>
    </message>
    <message>
        <source>in %1 for %2</source>
        <translation>in %1 seit %2</translation>
    </message>
    <message>
        <source>in %1</source>
        <translation>in %1</translation>
    </message>
    <message>
        <source>computes</source>
        <translation>rechnet</translation>
    </message>
    <message numerus="yes">
        <source>%n rank(s) failed or gone.</source>
        <translation>
            <numerusform>%n Rang ist fehlgeschlagen oder verschwunden.</numerusform>
            <numerusform>%n Ränge sind fehlgeschlagen oder verschwunden.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n ranks. What each of them does is told about once a second while it trains.</source>
        <translation>
            <numerusform>%n Rang. Was er tut, wird beim Training etwa einmal je Sekunde gesagt.</numerusform>
            <numerusform>%n Ränge. Was jeder von ihnen tut, wird beim Training etwa einmal je Sekunde gesagt.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n ranks. On GPUs a call to other ranks returns before it is done, so that own work is not known here; a timeline shows it (tessera train --timeline FILE).</source>
        <translation>
            <numerusform>%n Rang. Auf GPUs kehrt ein Aufruf an andere Ränge zurück, bevor er getan ist, so dass die eigene Arbeit hier nicht bekannt ist; eine Zeitlinie zeigt sie (tessera train --timeline FILE).</numerusform>
            <numerusform>%n Ränge. Auf GPUs kehrt ein Aufruf an andere Ränge zurück, bevor er getan ist, so dass die eigene Arbeit hier nicht bekannt ist; eine Zeitlinie zeigt sie (tessera train --timeline FILE).</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n ranks work about as long as each other: %1 of a step of %2.</source>
        <translation>
            <numerusform>%n Rang arbeitet %1 eines Schritts von %2.</numerusform>
            <numerusform>%n Ränge arbeiten etwa gleich lange: %1 eines Schritts von %2.</numerusform>
        </translation>
    </message>
    <message>
        <source>Rank %1 on %2 is the slowest of %3: its own work lasts %4 a step, %5 longer than the mean. The others wait for it.</source>
        <translation>Rang %1 auf %2 ist der langsamste von %3: Seine eigene Arbeit dauert %4 je Schritt, %5 länger als das Mittel. Die anderen warten auf ihn.</translation>
    </message>
    <message>
        <source>Rank %1</source>
        <translation>Rang %1</translation>
    </message>
</context>
<context>
    <name>tessera::ui::RateEditor</name>
    <message>
        <source>Length of piece %1</source>
        <translation>Länge des Stücks %1</translation>
    </message>
    <message>
        <source>Rate at the start of piece %1</source>
        <translation>Rate am Anfang des Stücks %1</translation>
    </message>
    <message>
        <source>Rate at the end of piece %1</source>
        <translation>Rate am Ende des Stücks %1</translation>
    </message>
    <message>
        <source>Shape of piece %1</source>
        <translation>Form des Stücks %1</translation>
    </message>
    <message>
        <source>steps</source>
        <translation>Schritte</translation>
    </message>
    <message>
        <source>tokens</source>
        <translation>Tokens</translation>
    </message>
    <message>
        <source>rest</source>
        <translation>Rest</translation>
    </message>
    <message>
        <source>Unit of the length of piece %1</source>
        <translation>Einheit der Länge des Stücks %1</translation>
    </message>
    <message>
        <source>goes on</source>
        <translation>weiter</translation>
    </message>
    <message>
        <source>Rate at its start; empty is where the piece before ended</source>
        <translation>Rate am Anfang; leer heißt: wo das Stück davor endete</translation>
    </message>
    <message>
        <source>Rate at its end</source>
        <translation>Rate am Ende</translation>
    </message>
    <message>
        <source>Remove piece %1</source>
        <translation>Stück %1 entfernen</translation>
    </message>
    <message>
        <source>Remove a piece of the rate</source>
        <translation>Stück der Rate entfernen</translation>
    </message>
    <message>
        <source>A stage needs a rate</source>
        <translation>Eine Stufe braucht eine Rate</translation>
    </message>
    <message>
        <source>Change the learning rate</source>
        <translation>Lernrate ändern</translation>
    </message>
    <message>
        <source>Add a piece</source>
        <translation>Stück hinzufügen</translation>
    </message>
    <message>
        <source>Add a piece to the rate</source>
        <translation>Stück zur Rate hinzufügen</translation>
    </message>
    <message>
        <source>%1 is no number</source>
        <translation>%1 ist keine Zahl</translation>
    </message>
    <message>
        <source>a number such as 3e-4</source>
        <translation>eine Zahl wie 3e-4</translation>
    </message>
</context>
<context>
    <name>tessera::ui::RunActions</name>
    <message>
        <source>%1 could not be resumed. %2</source>
        <translation>%1 ließ sich nicht fortsetzen. %2</translation>
    </message>
    <message>
        <source>%1 goes on</source>
        <translation>%1 geht weiter</translation>
    </message>
    <message>
        <source>%1 was moved to the trash</source>
        <translation>%1 liegt im Papierkorb</translation>
    </message>
    <message>
        <source>Open</source>
        <translation>Öffnen</translation>
    </message>
    <message>
        <source>Experts</source>
        <translation>Experten</translation>
    </message>
    <message>
        <source>Chat</source>
        <translation>Chat</translation>
    </message>
    <message>
        <source>Compare</source>
        <translation>Vergleichen</translation>
    </message>
    <message>
        <source>Resume</source>
        <translation>Fortsetzen</translation>
    </message>
    <message>
        <source>Resume when the machine is free</source>
        <translation>Fortsetzen, wenn der Rechner frei ist</translation>
    </message>
    <message>
        <source>Added to the queue</source>
        <translation>Eingereiht</translation>
    </message>
    <message>
        <source>Save and stop</source>
        <translation>Speichern und beenden</translation>
    </message>
    <message>
        <source>Stop without saving</source>
        <translation>Beenden ohne zu speichern</translation>
    </message>
    <message>
        <source>Edit a copy</source>
        <translation>Kopie bearbeiten</translation>
    </message>
    <message>
        <source>Fork</source>
        <translation>Abzweigen</translation>
    </message>
    <message>
        <source>Rename</source>
        <translation>Umbenennen</translation>
    </message>
    <message>
        <source>Add a tag…</source>
        <translation>Schlagwort hinzufügen …</translation>
    </message>
    <message>
        <source>Edit the notes</source>
        <translation>Notizen bearbeiten</translation>
    </message>
    <message>
        <source>Archive</source>
        <translation>Archivieren</translation>
    </message>
    <message>
        <source>Move to the trash</source>
        <translation>In den Papierkorb</translation>
    </message>
    <message>
        <source>Export every logged number…</source>
        <translation>Jede geloggte Zahl exportieren …</translation>
    </message>
    <message>
        <source>Export this table…</source>
        <translation>Diese Tabelle exportieren …</translation>
    </message>
    <message>
        <source>Copy the id</source>
        <translation>Kennung kopieren</translation>
    </message>
    <message>
        <source>Copy the command</source>
        <translation>Befehl kopieren</translation>
    </message>
    <message>
        <source>Copied: %1</source>
        <translation>Kopiert: %1</translation>
    </message>
    <message>
        <source>Open the folder</source>
        <translation>Ordner öffnen</translation>
    </message>
    <message>
        <source>Choose a run first</source>
        <translation>Zuerst einen Lauf wählen</translation>
    </message>
    <message>
        <source>Choose one run alone</source>
        <translation>Genau einen Lauf wählen</translation>
    </message>
    <message>
        <source>Choose two runs or more</source>
        <translation>Zwei oder mehr Läufe wählen</translation>
    </message>
    <message>
        <source>At most %1 runs are compared</source>
        <translation>Höchstens %1 Läufe werden verglichen</translation>
    </message>
    <message>
        <source>It is running</source>
        <translation>Er läuft</translation>
    </message>
    <message>
        <source>It has nothing left to do; fork it to go on</source>
        <translation>Er hat nichts mehr zu tun; zum Weitermachen abzweigen</translation>
    </message>
    <message>
        <source>It is not running</source>
        <translation>Er läuft nicht</translation>
    </message>
    <message>
        <source>It has not made a step yet</source>
        <translation>Er hat noch keinen Schritt gemacht</translation>
    </message>
    <message>
        <source>There are no runs yet</source>
        <translation>Es gibt noch keine Läufe</translation>
    </message>
    <message>
        <source>It is running; stop it first</source>
        <translation>Er läuft; zuerst beenden</translation>
    </message>
    <message>
        <source>Take out of the archive</source>
        <translation>Aus dem Archiv holen</translation>
    </message>
    <message>
        <source>Add a tag</source>
        <translation>Schlagwort hinzufügen</translation>
    </message>
    <message numerus="yes">
        <source>Tag for %n runs</source>
        <translation>
            <numerusform>Schlagwort für %n Lauf</numerusform>
            <numerusform>Schlagwort für %n Läufe</numerusform>
        </translation>
    </message>
    <message>
        <source>Add</source>
        <translation>Hinzufügen</translation>
    </message>
    <message numerus="yes">
        <source>%n runs were archived</source>
        <translation>
            <numerusform>%n Lauf wurde archiviert</numerusform>
            <numerusform>%n Läufe wurden archiviert</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n runs were taken out of the archive</source>
        <translation>
            <numerusform>%n Lauf wurde aus dem Archiv geholt</numerusform>
            <numerusform>%n Läufe wurden aus dem Archiv geholt</numerusform>
        </translation>
    </message>
    <message>
        <source>Save everything that the run logged</source>
        <translation>Alles sichern, was der Lauf geloggt hat</translation>
    </message>
    <message>
        <source>Folder for one file a run</source>
        <translation>Ordner für eine Datei je Lauf</translation>
    </message>
    <message>
        <source>Bring back from the trash</source>
        <translation>Aus dem Papierkorb zurückholen</translation>
    </message>
    <message>
        <source>%1, removed %2</source>
        <translation>%1, entfernt %2</translation>
    </message>
    <message>
        <source>Its folder is gone</source>
        <translation>Sein Ordner ist weg</translation>
    </message>
    <message>
        <source>No run was moved to the trash</source>
        <translation>Kein Lauf ist im Papierkorb</translation>
    </message>
    <message>
        <source>CSV, one row a step (*.csv)</source>
        <translation>CSV, eine Zeile je Schritt (*.csv)</translation>
    </message>
    <message>
        <source>Every event, as tessera watch --json (*.jsonl)</source>
        <translation>Jedes Ereignis, wie tessera watch --json (*.jsonl)</translation>
    </message>
    <message>
        <source>Show its sweep</source>
        <translation>Seine Reihe zeigen</translation>
    </message>
    <message>
        <source>New sweep…</source>
        <translation>Neue Reihe …</translation>
    </message>
    <message>
        <source>It belongs to no sweep</source>
        <translation>Er gehört zu keiner Reihe</translation>
    </message>
</context>
<context>
    <name>tessera::ui::RunCard</name>
    <message>
        <source>Loss</source>
        <translation>Loss</translation>
    </message>
    <message>
        <source>Left</source>
        <translation>Noch</translation>
    </message>
    <message>
        <source>Open</source>
        <translation>Öffnen</translation>
    </message>
    <message>
        <source>Stop</source>
        <translation>Stopp</translation>
    </message>
    <message>
        <source>Saves a checkpoint, then stops</source>
        <translation>Speichert einen Checkpoint und hört dann auf</translation>
    </message>
    <message>
        <source>Save and stop</source>
        <translation>Speichern und beenden</translation>
    </message>
    <message>
        <source>Stop now, without saving</source>
        <translation>Sofort beenden, ohne zu speichern</translation>
    </message>
    <message>
        <source>Asking %1 again</source>
        <translation>%1 wird erneut gefragt</translation>
    </message>
    <message>
        <source>Resuming %1</source>
        <translation>%1 wird fortgesetzt</translation>
    </message>
    <message>
        <source>%1 saves and stops</source>
        <translation>%1 speichert und hört auf</translation>
    </message>
    <message>
        <source>%1 stops</source>
        <translation>%1 hört auf</translation>
    </message>
    <message>
        <source>on %1</source>
        <translation>auf %1</translation>
    </message>
    <message>
        <source>last word %1</source>
        <translation>letztes Wort %1</translation>
    </message>
    <message>
        <source>ended %1</source>
        <translation>zu Ende %1</translation>
    </message>
    <message>
        <source>made %1</source>
        <translation>angelegt %1</translation>
    </message>
    <message>
        <source>Validation loss: %1</source>
        <translation>Validierungs-Loss: %1</translation>
    </message>
    <message>
        <source>Reconnect</source>
        <translation>Neu verbinden</translation>
    </message>
    <message>
        <source>Resume</source>
        <translation>Fortsetzen</translation>
    </message>
    <message>
        <source>The machine it runs on does not answer</source>
        <translation>Der Rechner, auf dem er läuft, antwortet nicht</translation>
    </message>
    <message>
        <source>It is stopping already</source>
        <translation>Er hört schon auf</translation>
    </message>
    <message>
        <source>Steps</source>
        <translation>Schritte</translation>
    </message>
</context>
<context>
    <name>tessera::ui::RunDetails</name>
    <message>
        <source>Choose one run to see where it came from, its tags and notes.</source>
        <translation>Einen Lauf wählen, um Herkunft, Schlagwörter und Notizen zu sehen.</translation>
    </message>
    <message>
        <source>Lineage</source>
        <translation>Herkunft</translation>
    </message>
    <message>
        <source>Tags</source>
        <translation>Schlagwörter</translation>
    </message>
    <message>
        <source>Words, with commas between</source>
        <translation>Wörter, durch Kommas getrennt</translation>
    </message>
    <message>
        <source>Notes</source>
        <translation>Notizen</translation>
    </message>
    <message>
        <source>Folder</source>
        <translation>Ordner</translation>
    </message>
    <message>
        <source>It was not forked, and nothing was forked from it.</source>
        <translation>Er ist kein Abzweig, und nichts ist von ihm abgezweigt.</translation>
    </message>
    <message>
        <source>%1 (not there)</source>
        <translation>%1 (nicht da)</translation>
    </message>
    <message>
        <source>%1 is not among the runs</source>
        <translation>%1 ist nicht unter den Läufen</translation>
    </message>
    <message>
        <source>Its folder is gone. Move it back to %1, or remove the run from the list.</source>
        <translation>Sein Ordner ist weg. Legen Sie ihn nach %1 zurück, oder entfernen Sie den Lauf aus der Liste.</translation>
    </message>
    <message>
        <source>%1 steps
%2
Loss %3, validation %4</source>
        <translation>%1 Schritte
%2
Loss %3, Validierung %4</translation>
    </message>
    <message>
        <source>%1, after %2 steps</source>
        <translation>%1, nach %2 Schritten</translation>
    </message>
</context>
<context>
    <name>tessera::ui::RunHeader</name>
    <message>
        <source>stage %1 of %2: %3</source>
        <translation>Stufe %1 von %2: %3</translation>
    </message>
    <message>
        <source>Stop</source>
        <translation>Stopp</translation>
    </message>
    <message>
        <source>Pause</source>
        <translation>Anhalten</translation>
    </message>
    <message>
        <source>Resume</source>
        <translation>Fortsetzen</translation>
    </message>
    <message>
        <source>Resume as a fork</source>
        <translation>Als Abzweig fortsetzen</translation>
    </message>
    <message>
        <source>Open in Chat</source>
        <translation>Im Chat öffnen</translation>
    </message>
    <message>
        <source>Experts</source>
        <translation>Experten</translation>
    </message>
    <message>
        <source>MFU</source>
        <translation>MFU</translation>
    </message>
    <message>
        <source>Progress</source>
        <translation>Fortschritt</translation>
    </message>
    <message>
        <source>Save a checkpoint and stop</source>
        <translation>Checkpoint speichern und beenden</translation>
    </message>
    <message>
        <source>Stop now, without saving</source>
        <translation>Sofort beenden, ohne zu speichern</translation>
    </message>
    <message>
        <source>A new run from a checkpoint of this one, with settings you change first</source>
        <translation>Ein neuer Lauf ab einem Checkpoint von diesem, mit Einstellungen, die Sie vorher ändern</translation>
    </message>
    <message>
        <source>How tokens spread over the experts, at the step picked here</source>
        <translation>Wie sich die Tokens auf die Experten verteilen, im hier gewählten Schritt</translation>
    </message>
    <message>
        <source>rank %1: %2</source>
        <translation>Rang %1: %2</translation>
    </message>
    <message>
        <source>reading data, planning memory</source>
        <translation>liest Daten, plant Speicher</translation>
    </message>
    <message>
        <source>No run is picked.</source>
        <translation>Kein Lauf ist gewählt.</translation>
    </message>
    <message>
        <source>The run is not running: %1.</source>
        <translation>Der Lauf läuft nicht: %1.</translation>
    </message>
    <message>
        <source>Already asked: the run answers between two steps.</source>
        <translation>Schon gebeten: der Lauf antwortet zwischen zwei Schritten.</translation>
    </message>
    <message>
        <source>Continue</source>
        <translation>Weiter</translation>
    </message>
    <message>
        <source>It can be paused while it trains.</source>
        <translation>Er lässt sich anhalten, während er trainiert.</translation>
    </message>
    <message>
        <source>The run is running.</source>
        <translation>Der Lauf läuft.</translation>
    </message>
    <message>
        <source>The run has finished: fork it to train on.</source>
        <translation>Der Lauf ist fertig: zum Weitertrainieren abzweigen.</translation>
    </message>
    <message>
        <source>There is no whole checkpoint to resume from.</source>
        <translation>Es gibt keinen ganzen Checkpoint zum Fortsetzen.</translation>
    </message>
    <message>
        <source>The run has not saved a checkpoint yet.</source>
        <translation>Der Lauf hat noch keinen Checkpoint gespeichert.</translation>
    </message>
    <message>
        <source>%1 left</source>
        <translation>noch %1</translation>
    </message>
    <message>
        <source>%1 trained</source>
        <translation>%1 trainiert</translation>
    </message>
    <message>
        <source>tokens/s</source>
        <translation>Tokens/s</translation>
    </message>
    <message>
        <source>loss %1</source>
        <translation>Loss %1</translation>
    </message>
    <message>
        <source>live</source>
        <translation>im Gang</translation>
    </message>
    <message>
        <source>last word %1</source>
        <translation>letztes Wort %1</translation>
    </message>
    <message>
        <source>asked to stop without saving</source>
        <translation>gebeten, ohne Speichern zu enden</translation>
    </message>
    <message>
        <source>asked to save and stop</source>
        <translation>gebeten, zu speichern und zu enden</translation>
    </message>
    <message>
        <source>asked to go on</source>
        <translation>gebeten, weiterzumachen</translation>
    </message>
    <message>
        <source>asked to pause</source>
        <translation>gebeten, anzuhalten</translation>
    </message>
    <message>
        <source>starting from its newest checkpoint</source>
        <translation>startet ab dem neuesten Checkpoint</translation>
    </message>
    <message>
        <source>reading the data</source>
        <translation>liest die Daten</translation>
    </message>
    <message>
        <source>training the vocabulary</source>
        <translation>trainiert das Vokabular</translation>
    </message>
    <message>
        <source>turning the text into tokens</source>
        <translation>zerlegt den Text in Tokens</translation>
    </message>
    <message>
        <source>measuring the validation loss</source>
        <translation>misst den Validierungsverlust</translation>
    </message>
    <message>
        <source>writing a sample</source>
        <translation>schreibt eine Probe</translation>
    </message>
    <message>
        <source>%1 of %2</source>
        <translation>%1 von %2</translation>
    </message>
    <message>
        <source>Forked %1</source>
        <translation>Abgezweigt %1</translation>
    </message>
    <message>
        <source>Forked %1. Shows that run.</source>
        <translation>Abgezweigt %1. Zeigt jenen Lauf.</translation>
    </message>
    <message>
        <source>%1 is not among the runs any more.</source>
        <translation>%1 ist nicht mehr unter den Läufen.</translation>
    </message>
    <message>
        <source>No step yet</source>
        <translation>Noch kein Schritt</translation>
    </message>
    <message>
        <source>from %1, after %2 steps</source>
        <translation>aus %1, nach %2 Schritten</translation>
    </message>
    <message>
        <source>%1 steps</source>
        <translation>%1 Schritte</translation>
    </message>
</context>
<context>
    <name>tessera::ui::RunPicker</name>
    <message>
        <source>Run</source>
        <translation>Lauf</translation>
    </message>
</context>
<context>
    <name>tessera::ui::RunStore</name>
    <message>
        <source>There is no run %1.</source>
        <translation>Es gibt keinen Lauf %1.</translation>
    </message>
</context>
<context>
    <name>tessera::ui::RunTable</name>
    <message>
        <source>Search name, tags, notes, state</source>
        <translation>Name, Schlagwort, Notiz, Zustand suchen</translation>
    </message>
    <message>
        <source>Search runs</source>
        <translation>Läufe suchen</translation>
    </message>
    <message>
        <source>State</source>
        <translation>Zustand</translation>
    </message>
    <message>
        <source>Tag</source>
        <translation>Schlagwort</translation>
    </message>
    <message>
        <source>Runs</source>
        <translation>Läufe</translation>
    </message>
    <message>
        <source>No runs yet. A run is one training, from its spec to its checkpoints.</source>
        <translation>Noch keine Läufe. Ein Lauf ist ein Training, von der Spec bis zu den Checkpoints.</translation>
    </message>
    <message>
        <source>Configure a run</source>
        <translation>Lauf konfigurieren</translation>
    </message>
    <message>
        <source>No run matches the filter.</source>
        <translation>Kein Lauf passt zum Filter.</translation>
    </message>
    <message>
        <source>Show all runs</source>
        <translation>Alle Läufe zeigen</translation>
    </message>
    <message>
        <source>Looking for runs…</source>
        <translation>Läufe werden gesucht …</translation>
    </message>
    <message>
        <source>Every tag</source>
        <translation>Jedes Schlagwort</translation>
    </message>
    <message>
        <source>No run has a tag yet</source>
        <translation>Noch hat kein Lauf ein Schlagwort</translation>
    </message>
    <message numerus="yes">
        <source>%n runs</source>
        <translation>
            <numerusform>%n Lauf</numerusform>
            <numerusform>%n Läufe</numerusform>
        </translation>
    </message>
    <message>
        <source>%1 of %2 runs</source>
        <translation>%1 von %2 Läufen</translation>
    </message>
    <message>
        <source>Group by</source>
        <translation>Gruppieren</translation>
    </message>
    <message>
        <source>Runs with the same value of a column stand together</source>
        <translation>Läufe mit demselben Wert einer Spalte stehen beisammen</translation>
    </message>
    <message>
        <source>Saved filters</source>
        <translation>Gesicherte Filter</translation>
    </message>
    <message>
        <source>Columns of the table</source>
        <translation>Spalten der Tabelle</translation>
    </message>
    <message>
        <source>More columns…</source>
        <translation>Weitere Spalten …</translation>
    </message>
    <message>
        <source>Group by %1</source>
        <translation>Nach %1 gruppieren</translation>
    </message>
    <message>
        <source>Not grouped</source>
        <translation>Nicht gruppiert</translation>
    </message>
    <message>
        <source>No run has the tag %1 any more</source>
        <translation>Kein Lauf hat noch das Schlagwort %1</translation>
    </message>
    <message>
        <source>No filter is saved yet</source>
        <translation>Noch kein Filter gesichert</translation>
    </message>
    <message>
        <source>Save this filter…</source>
        <translation>Diesen Filter sichern …</translation>
    </message>
    <message>
        <source>Delete a filter</source>
        <translation>Einen Filter löschen</translation>
    </message>
    <message>
        <source>The filter %1 was deleted</source>
        <translation>Der Filter %1 wurde gelöscht</translation>
    </message>
    <message>
        <source>Save this filter</source>
        <translation>Diesen Filter sichern</translation>
    </message>
    <message>
        <source>Name of the filter. It keeps words, state, tag, groups and columns; one with the same name is replaced.</source>
        <translation>Name des Filters. Er behält Wörter, Zustand, Schlagwort, Gruppen und Spalten; einer mit demselben Namen wird ersetzt.</translation>
    </message>
    <message>
        <source>Saved as %1</source>
        <translation>Gesichert als %1</translation>
    </message>
    <message>
        <source>Words, or conditions on columns that the table has: loss&lt;3, hidden_size&gt;=256, state=failed</source>
        <translation>Wörter oder Bedingungen an Spalten, die die Tabelle hat: loss&lt;3, hidden_size&gt;=256, state=fehlgeschlagen</translation>
    </message>
    <message>
        <source>The table has no column “%1”, so that nothing can be asked of it.</source>
        <translation>Die Tabelle hat keine Spalte „%1“, nach der sich fragen ließe.</translation>
    </message>
    <message>
        <source>Choose columns</source>
        <translation>Spalten wählen</translation>
    </message>
    <message>
        <source>Group: %1</source>
        <translation>Gruppe: %1</translation>
    </message>
</context>
<context>
    <name>tessera::ui::RunWatch</name>
    <message>
        <source>%1 finished: %2 %3 after %4 steps</source>
        <translation>%1 ist fertig: %2 %3 nach %4 Schritten</translation>
    </message>
    <message>
        <source>loss</source>
        <translation>Loss</translation>
    </message>
    <message>
        <source>validation loss</source>
        <translation>Validierungs-Loss</translation>
    </message>
    <message>
        <source>%1 failed</source>
        <translation>%1 ist fehlgeschlagen</translation>
    </message>
    <message>
        <source>%1 failed: %2</source>
        <translation>%1 ist fehlgeschlagen: %2</translation>
    </message>
    <message>
        <source>Lost contact with %1: last word %2</source>
        <translation>Kontakt zu %1 verloren: letztes Wort %2</translation>
    </message>
    <message>
        <source>%1: the loss is %2 at step %3, and it began with %4. A lower learning rate from an earlier checkpoint is the usual cure.</source>
        <translation>%1: der Loss ist %2 bei Schritt %3, begonnen hat er mit %4. Meist hilft eine kleinere Lernrate ab einem früheren Checkpoint.</translation>
    </message>
    <message>
        <source>%1: the loss is not a number at step %2. Resume as a fork from the last checkpoint before, with a lower learning rate.</source>
        <translation>%1: der Loss ist bei Schritt %2 keine Zahl. Als Abzweig vom letzten Checkpoint davor mit kleinerer Lernrate fortsetzen.</translation>
    </message>
    <message>
        <source>%1: the loss rose to %2 at step %3, where about %4 is usual.</source>
        <translation>%1: Der Loss stieg bei Schritt %3 auf %2, wo etwa %4 üblich ist.</translation>
    </message>
    <message>
        <source>%1: experts that get no tokens any more: %2 of %3, over all layers. A faster bias update usually brings them back.</source>
        <translation>%1: Experten, die keine Tokens mehr bekommen: %2 von %3, über alle Schichten. Eine schnellere Anpassung der Biases holt sie meist zurück.</translation>
    </message>
    <message>
        <source>%1: no step has ended for %2; the last was step %3. The log of the run may say why.</source>
        <translation>%1: Seit %2 ist kein Schritt fertig geworden; der letzte war Schritt %3. Das Log des Laufs sagt vielleicht, warum.</translation>
    </message>
    <message>
        <source>It stood out up to step %1.</source>
        <translation>Bis Schritt %1 fiel er auf.</translation>
    </message>
    <message>
        <source>It is spike %1 of this run; the first was at step %2.</source>
        <translation>Es ist Ausschlag %1 dieses Laufs; der erste war bei Schritt %2.</translation>
    </message>
</context>
<context>
    <name>tessera::ui::RunsDelegate</name>
    <message>
        <source>Words, with commas between</source>
        <translation>Wörter, durch Kommas getrennt</translation>
    </message>
</context>
<context>
    <name>tessera::ui::RunsModel</name>
    <message>
        <source>%1 from %2</source>
        <translation>%1 von %2</translation>
    </message>
    <message>
        <source>%1 trained</source>
        <translation>%1 trainiert</translation>
    </message>
    <message>
        <source>Tokens per second, at the last step</source>
        <translation>Tokens je Sekunde, im letzten Schritt</translation>
    </message>
    <message>
        <source>Loss over the whole run</source>
        <translation>Loss über den ganzen Lauf</translation>
    </message>
    <message>
        <source>Forked from %1</source>
        <translation>Abgezweigt von %1</translation>
    </message>
    <message>
        <source>Curve of the loss</source>
        <translation>Kurve des Loss</translation>
    </message>
    <message>
        <source>Run</source>
        <translation>Lauf</translation>
    </message>
    <message>
        <source>State</source>
        <translation>Zustand</translation>
    </message>
    <message>
        <source>Loss</source>
        <translation>Loss</translation>
    </message>
    <message>
        <source>Validation</source>
        <translation>Validierung</translation>
    </message>
    <message>
        <source>Tokens/s</source>
        <translation>Tokens/s</translation>
    </message>
    <message>
        <source>Curve</source>
        <translation>Kurve</translation>
    </message>
    <message>
        <source>Created</source>
        <translation>Angelegt</translation>
    </message>
    <message>
        <source>Last word</source>
        <translation>Letztes Wort</translation>
    </message>
    <message>
        <source>Tags</source>
        <translation>Schlagwörter</translation>
    </message>
    <message>
        <source>Notes</source>
        <translation>Notizen</translation>
    </message>
    <message>
        <source>Forked from</source>
        <translation>Abgezweigt von</translation>
    </message>
    <message>
        <source>Folder gone</source>
        <translation>Ordner weg</translation>
    </message>
    <message>
        <source>Its folder is gone: %1</source>
        <translation>Sein Ordner ist weg: %1</translation>
    </message>
    <message>
        <source>%1: the last value that the run logged</source>
        <translation>%1: der letzte Wert, den der Lauf geloggt hat</translation>
    </message>
    <message>
        <source>%1 after %2 steps</source>
        <translation>%1 nach %2 Schritten</translation>
    </message>
    <message>
        <source>Steps</source>
        <translation>Schritte</translation>
    </message>
</context>
<context>
    <name>tessera::ui::RunsPage</name>
    <message>
        <source>Parts of the page</source>
        <translation>Teile der Seite</translation>
    </message>
    <message>
        <source>All runs</source>
        <translation>Alle Läufe</translation>
    </message>
    <message>
        <source>Compare</source>
        <translation>Vergleichen</translation>
    </message>
    <message>
        <source>Queue</source>
        <translation>Warteschlange</translation>
    </message>
    <message>
        <source>Save the table</source>
        <translation>Tabelle sichern</translation>
    </message>
    <message>
        <source>CSV (*.csv)</source>
        <translation>CSV (*.csv)</translation>
    </message>
    <message>
        <source>%1 cannot be written: %2</source>
        <translation>%1 lässt sich nicht schreiben: %2</translation>
    </message>
    <message>
        <source>Saved %1</source>
        <translation>%1 gesichert</translation>
    </message>
    <message>
        <source>Sweeps</source>
        <translation>Reihen</translation>
    </message>
</context>
<context>
    <name>tessera::ui::RunsProxy</name>
    <message numerus="yes">
        <source>%1: %2 (%n runs)</source>
        <translation>
            <numerusform>%1: %2 (%n Lauf)</numerusform>
            <numerusform>%1: %2 (%n Läufe)</numerusform>
        </translation>
    </message>
    <message>
        <source>none</source>
        <translation>keine</translation>
    </message>
</context>
<context>
    <name>tessera::ui::SamplesModel</name>
    <message>
        <source>After step</source>
        <translation>Nach Schritt</translation>
    </message>
    <message>
        <source>Prompt</source>
        <translation>Prompt</translation>
    </message>
    <message>
        <source>Text</source>
        <translation>Text</translation>
    </message>
</context>
<context>
    <name>tessera::ui::SamplesTab</name>
    <message>
        <source>No samples: samples.every_steps and samples.prompts make a run write some as it learns.</source>
        <translation>Keine Proben: mit samples.every_steps und samples.prompts schreibt ein Lauf welche, während er lernt.</translation>
    </message>
    <message>
        <source>Talk to a checkpoint instead</source>
        <translation>Stattdessen mit einem Checkpoint reden</translation>
    </message>
    <message>
        <source>Steps with samples</source>
        <translation>Schritte mit Proben</translation>
    </message>
    <message>
        <source>Samples</source>
        <translation>Proben</translation>
    </message>
    <message>
        <source>Prompt</source>
        <translation>Prompt</translation>
    </message>
    <message>
        <source>All prompts</source>
        <translation>Alle Prompts</translation>
    </message>
    <message>
        <source>step %1</source>
        <translation>Schritt %1</translation>
    </message>
</context>
<context>
    <name>tessera::ui::ScriptDialog</name>
    <message>
        <source>Line %1: %2</source>
        <translation>Zeile %1: %2</translation>
    </message>
    <message>
        <source>Edited by hand: it %1</source>
        <translation>Von Hand bearbeitet: es %1</translation>
    </message>
    <message>
        <source>Script for Slurm, profile %1</source>
        <translation>Skript für Slurm, Profil %1</translation>
    </message>
    <message>
        <source>Script</source>
        <translation>Skript</translation>
    </message>
    <message>
        <source>Take the profile&apos;s own</source>
        <translation>Das des Profils nehmen</translation>
    </message>
    <message>
        <source>It follows the profile. What you change here stays.</source>
        <translation>Es folgt dem Profil. Was hier geändert wird, bleibt.</translation>
    </message>
    <message>
        <source>It is the profile&apos;s own</source>
        <translation>Es ist das des Profils</translation>
    </message>
</context>
<context>
    <name>tessera::ui::ServerPage</name>
    <message>
        <source>Choose a run</source>
        <translation>Lauf wählen</translation>
    </message>
    <message>
        <source>Folder: %1</source>
        <translation>Ordner: %1</translation>
    </message>
    <message>
        <source>Folder of a model or a checkpoint</source>
        <translation>Ordner eines Modells oder Checkpoints</translation>
    </message>
    <message>
        <source>Not running</source>
        <translation>Läuft nicht</translation>
    </message>
    <message>
        <source>Loading the model</source>
        <translation>Lädt das Modell</translation>
    </message>
    <message>
        <source>Running</source>
        <translation>Läuft</translation>
    </message>
    <message>
        <source>Ending: requests that run have 5 s</source>
        <translation>Endet: laufende Anfragen haben 5 s</translation>
    </message>
    <message>
        <source>Stop</source>
        <translation>Anhalten</translation>
    </message>
    <message>
        <source>Start</source>
        <translation>Starten</translation>
    </message>
    <message>
        <source>It is ending</source>
        <translation>Er endet gerade</translation>
    </message>
    <message>
        <source>Choose a run or a folder first</source>
        <translation>Zuerst einen Lauf oder Ordner wählen</translation>
    </message>
    <message>
        <source>Stop the server first</source>
        <translation>Zuerst den Server anhalten</translation>
    </message>
    <message>
        <source>Other machines always need a key</source>
        <translation>Andere Rechner brauchen immer einen Schlüssel</translation>
    </message>
    <message>
        <source>Start the server</source>
        <translation>Server starten</translation>
    </message>
    <message>
        <source>Choose a folder</source>
        <translation>Ordner wählen</translation>
    </message>
    <message>
        <source>tokens/s</source>
        <translation>Tokens/s</translation>
    </message>
    <message>
        <source>Server</source>
        <translation>Server</translation>
    </message>
    <message>
        <source>A server lets programs that speak OpenAI&apos;s API talk to a run, a checkpoint or a released model: from Python, curl, LangChain or LlamaIndex.</source>
        <translation>Über einen Server sprechen Programme, die OpenAIs API beherrschen, mit einem Lauf, einem Checkpoint oder einem veröffentlichten Modell: aus Python, mit curl, LangChain oder LlamaIndex.</translation>
    </message>
    <message>
        <source>Server: start or stop</source>
        <translation>Server: starten oder anhalten</translation>
    </message>
    <message>
        <source>Server: choose a folder</source>
        <translation>Server: Ordner wählen</translation>
    </message>
    <message>
        <source>What is served</source>
        <translation>Was angeboten wird</translation>
    </message>
    <message>
        <source>Run that is served</source>
        <translation>Lauf, der angeboten wird</translation>
    </message>
    <message>
        <source>Folder...</source>
        <translation>Ordner...</translation>
    </message>
    <message>
        <source>A checkpoint, or the folder of a released model</source>
        <translation>Ein Checkpoint, oder der Ordner eines veröffentlichten Modells</translation>
    </message>
    <message>
        <source>any</source>
        <translation>beliebig</translation>
    </message>
    <message>
        <source>Port</source>
        <translation>Port</translation>
    </message>
    <message>
        <source>Where it listens; 0: any port that is free</source>
        <translation>Wo er lauscht; 0: irgendein freier Port</translation>
    </message>
    <message>
        <source>Weights</source>
        <translation>Gewichte</translation>
    </message>
    <message>
        <source>Rounded weights need less memory and are faster on a CPU</source>
        <translation>Gerundete Gewichte brauchen weniger Speicher und sind auf einer CPU schneller</translation>
    </message>
    <message>
        <source>as they are</source>
        <translation>wie sie sind</translation>
    </message>
    <message>
        <source>8 bits (q8_0)</source>
        <translation>8 Bit (q8_0)</translation>
    </message>
    <message>
        <source>4 bits (q4_0)</source>
        <translation>4 Bit (q4_0)</translation>
    </message>
    <message>
        <source>Ask for a key</source>
        <translation>Schlüssel verlangen</translation>
    </message>
    <message>
        <source>Programs must show a key, which is made here and kept for you alone</source>
        <translation>Programme müssen einen Schlüssel zeigen, der hier erzeugt wird und nur für Sie aufbewahrt bleibt</translation>
    </message>
    <message>
        <source>Other machines may ask</source>
        <translation>Andere Rechner dürfen anfragen</translation>
    </message>
    <message>
        <source>Listens at every address of this machine, with a key. What is sent is not encrypted.</source>
        <translation>Lauscht an jeder Adresse dieses Rechners, mit einem Schlüssel. Was gesendet wird, ist nicht verschlüsselt.</translation>
    </message>
    <message>
        <source>It is in the clipboard</source>
        <translation>Es ist in der Zwischenablage</translation>
    </message>
    <message>
        <source>Address</source>
        <translation>Adresse</translation>
    </message>
    <message>
        <source>URL</source>
        <translation>URL</translation>
    </message>
    <message>
        <source>Copy the address</source>
        <translation>Adresse kopieren</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>Modell</translation>
    </message>
    <message>
        <source>Copy the model&apos;s name</source>
        <translation>Name des Modells kopieren</translation>
    </message>
    <message>
        <source>Key</source>
        <translation>Schlüssel</translation>
    </message>
    <message>
        <source>Copy the key</source>
        <translation>Schlüssel kopieren</translation>
    </message>
    <message>
        <source>Show the key, here and in the lines below</source>
        <translation>Schlüssel zeigen, hier und in den Zeilen unten</translation>
    </message>
    <message>
        <source>Requests</source>
        <translation>Anfragen</translation>
    </message>
    <message>
        <source>Waiting</source>
        <translation>Wartend</translation>
    </message>
    <message>
        <source>Ended</source>
        <translation>Beendet</translation>
    </message>
    <message>
        <source>Not answered</source>
        <translation>Unbeantwortet</translation>
    </message>
    <message>
        <source>Read</source>
        <translation>Gelesen</translation>
    </message>
    <message>
        <source>Written</source>
        <translation>Geschrieben</translation>
    </message>
    <message>
        <source>Speed</source>
        <translation>Tempo</translation>
    </message>
    <message>
        <source>Cache in use</source>
        <translation>Cache belegt</translation>
    </message>
    <message>
        <source>Errors told</source>
        <translation>Fehlermeldungen</translation>
    </message>
    <message>
        <source>Talk to it</source>
        <translation>Mit ihm sprechen</translation>
    </message>
    <message>
        <source>Ways to talk to the server</source>
        <translation>Wege, mit dem Server zu sprechen</translation>
    </message>
    <message>
        <source>Lines for %1</source>
        <translation>Zeilen für %1</translation>
    </message>
    <message>
        <source>Needs: %1</source>
        <translation>Braucht: %1</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>Kopieren</translation>
    </message>
    <message>
        <source>Copy the lines for %1</source>
        <translation>Zeilen für %1 kopieren</translation>
    </message>
    <message>
        <source>The lines for %1 are in the clipboard</source>
        <translation>Die Zeilen für %1 sind in der Zwischenablage</translation>
    </message>
    <message>
        <source>Reused</source>
        <translation>Wiederverwendet</translation>
    </message>
</context>
<context>
    <name>tessera::ui::SettingsPage</name>
    <message>
        <source>Search settings</source>
        <translation>Einstellungen suchen</translation>
    </message>
    <message>
        <source>No setting is called that.</source>
        <translation>Keine Einstellung heißt so.</translation>
    </message>
    <message>
        <source>Show all settings</source>
        <translation>Alle Einstellungen zeigen</translation>
    </message>
    <message>
        <source>Reset all settings</source>
        <translation>Alle Einstellungen zurücksetzen</translation>
    </message>
    <message>
        <source>Settings</source>
        <translation>Einstellungen</translation>
    </message>
    <message>
        <source>The settings are as they were at first</source>
        <translation>Die Einstellungen sind wie am Anfang</translation>
    </message>
    <message>
        <source>Look</source>
        <translation>Aussehen</translation>
    </message>
    <message>
        <source>Theme</source>
        <translation>Farbschema</translation>
    </message>
    <message>
        <source>Light, dark, or as the desktop has it</source>
        <translation>Hell, dunkel oder wie der Desktop</translation>
    </message>
    <message>
        <source>Language</source>
        <translation>Sprache</translation>
    </message>
    <message>
        <source>As the system</source>
        <translation>Wie das System</translation>
    </message>
    <message>
        <source>Light</source>
        <translation>Hell</translation>
    </message>
    <message>
        <source>Dark</source>
        <translation>Dunkel</translation>
    </message>
    <message>
        <source>Data</source>
        <translation>Daten</translation>
    </message>
    <message>
        <source>Data folder</source>
        <translation>Datenordner</translation>
    </message>
    <message>
        <source>Runs, models, conversations and the library; used from the next start</source>
        <translation>Läufe, Modelle, Gespräche und die Bibliothek; gilt ab dem nächsten Start</translation>
    </message>
    <message>
        <source>Warn when the disk fills</source>
        <translation>Warnen, wenn die Platte voll wird</translation>
    </message>
    <message>
        <source>Less free space than this is listed under Problems</source>
        <translation>Weniger freier Platz steht unter Probleme</translation>
    </message>
    <message>
        <source>Lines kept of a log</source>
        <translation>Behaltene Zeilen eines Protokolls</translation>
    </message>
    <message>
        <source>Older lines leave the view; the file keeps all</source>
        <translation>Ältere Zeilen verlassen die Ansicht; die Datei behält alle</translation>
    </message>
    <message>
        <source>Change...</source>
        <translation>Ändern ...</translation>
    </message>
    <message>
        <source>Back to the usual folder</source>
        <translation>Zurück zum üblichen Ordner</translation>
    </message>
    <message>
        <source>TESSERA_HOME is set where the studio was started</source>
        <translation>TESSERA_HOME ist gesetzt, wo das Studio gestartet wurde</translation>
    </message>
    <message>
        <source>This is the usual folder</source>
        <translation>Das ist der übliche Ordner</translation>
    </message>
    <message>
        <source>Folder for runs and models</source>
        <translation>Ordner für Läufe und Modelle</translation>
    </message>
    <message>
        <source>The folder is used when the studio is started again</source>
        <translation>Der Ordner gilt ab dem nächsten Start</translation>
    </message>
    <message>
        <source> GB</source>
        <translation> GB</translation>
    </message>
    <message>
        <source>Never</source>
        <translation>Nie</translation>
    </message>
    <message>
        <source> lines</source>
        <translation> Zeilen</translation>
    </message>
    <message>
        <source>Notifications</source>
        <translation>Benachrichtigungen</translation>
    </message>
    <message>
        <source>When a run finishes</source>
        <translation>Wenn ein Lauf fertig ist</translation>
    </message>
    <message>
        <source>With its last validation loss</source>
        <translation>Mit dem letzten Validierungs-Loss</translation>
    </message>
    <message>
        <source>When a run fails</source>
        <translation>Wenn ein Lauf fehlschlägt</translation>
    </message>
    <message>
        <source>With the reason, as far as it is known</source>
        <translation>Mit dem Grund, soweit bekannt</translation>
    </message>
    <message>
        <source>When a run needs attention</source>
        <translation>Wenn ein Lauf Aufmerksamkeit braucht</translation>
    </message>
    <message>
        <source>Its machine has said nothing for a minute</source>
        <translation>Sein Rechner schweigt seit einer Minute</translation>
    </message>
    <message>
        <source>Also on the desktop</source>
        <translation>Auch auf dem Desktop</translation>
    </message>
    <message>
        <source>While the window is not in front</source>
        <translation>Solange das Fenster nicht vorn ist</translation>
    </message>
    <message>
        <source>Shortcuts</source>
        <translation>Tastenkürzel</translation>
    </message>
    <message>
        <source>Shortcuts of commands keys</source>
        <translation>Tastenkürzel der Befehle Tasten</translation>
    </message>
    <message>
        <source>Shortcut of %1</source>
        <translation>Tastenkürzel von %1</translation>
    </message>
    <message>
        <source>Back to the usual keys</source>
        <translation>Zurück zu den üblichen Tasten</translation>
    </message>
    <message>
        <source>These are the usual keys</source>
        <translation>Das sind die üblichen Tasten</translation>
    </message>
    <message>
        <source>%1 already belongs to &quot;%2&quot;</source>
        <translation>%1 gehört schon zu „%2“</translation>
    </message>
    <message>
        <source>Alerts of running runs</source>
        <translation>Alarme laufender Läufe</translation>
    </message>
    <message>
        <source>Alerts diverged stop</source>
        <translation>Alarme divergiert anhalten</translation>
    </message>
    <message>
        <source>Limit: %1</source>
        <translation>Grenze: %1</translation>
    </message>
    <message>
        <source>Say nothing</source>
        <translation>Nichts sagen</translation>
    </message>
    <message>
        <source>Tell me</source>
        <translation>Melden</translation>
    </message>
    <message>
        <source>Tell me, save and stop</source>
        <translation>Melden, sichern, stoppen</translation>
    </message>
    <message>
        <source>The window, its help and its numbers; names of settings, logs, the manual and rare messages of the engine are English</source>
        <translation>Fenster, Hilfen und Zahlen; Namen der Einstellungen, Protokolle, Handbuch und seltene Meldungen der Maschine sind englisch</translation>
    </message>
</context>
<context>
    <name>tessera::ui::SlurmJobs</name>
    <message>
        <source>%1 ended with %2 and said nothing</source>
        <translation>%1 endete mit %2 und sagte nichts</translation>
    </message>
</context>
<context>
    <name>tessera::ui::SlurmProfilesView</name>
    <message numerus="yes">
        <source>%n node(s)</source>
        <translation>
            <numerusform>%n Knoten</numerusform>
            <numerusform>%n Knoten</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>with %n rank(s) each</source>
        <translation>
            <numerusform>mit je %n Rang</numerusform>
            <numerusform>mit je %n Rängen</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n GPU(s) a node</source>
        <translation>
            <numerusform>%n GPU je Knoten</numerusform>
            <numerusform>%n GPUs je Knoten</numerusform>
        </translation>
    </message>
    <message>
        <source>partition %1</source>
        <translation>Partition %1</translation>
    </message>
    <message>
        <source>account %1</source>
        <translation>Konto %1</translation>
    </message>
    <message>
        <source>at most %1</source>
        <translation>höchstens %1</translation>
    </message>
    <message>
        <source>None yet. A profile says what runs ask a cluster with Slurm for: partition, nodes, GPUs, time. Configure then starts runs as jobs by it.</source>
        <translation>Noch keines. Ein Profil sagt, was Läufe von einem Cluster mit Slurm verlangen: Partition, Knoten, GPUs, Zeit. Konfigurieren startet Läufe dann danach als Aufträge.</translation>
    </message>
    <message>
        <source>New profile...</source>
        <translation>Neues Profil...</translation>
    </message>
    <message>
        <source>The profile %1 was removed</source>
        <translation>Das Profil %1 wurde entfernt</translation>
    </message>
    <message>
        <source>Edit...</source>
        <translation>Bearbeiten...</translation>
    </message>
    <message>
        <source>Edit the profile %1</source>
        <translation>Das Profil %1 bearbeiten</translation>
    </message>
    <message>
        <source>Mend its file first: %1</source>
        <translation>Erst seine Datei richten: %1</translation>
    </message>
    <message>
        <source>Remove the profile %1</source>
        <translation>Das Profil %1 entfernen</translation>
    </message>
</context>
<context>
    <name>tessera::ui::Sparkline</name>
    <message>
        <source>%1: nothing yet</source>
        <translation>%1: noch nichts</translation>
    </message>
    <message>
        <source>%1: from %2 to %3</source>
        <translation>%1: von %2 bis %3</translation>
    </message>
</context>
<context>
    <name>tessera::ui::SpecForm</name>
    <message>
        <source>Sections</source>
        <translation>Abschnitte</translation>
    </message>
    <message>
        <source>Stage %1 of %2</source>
        <translation>Stufe %1 von %2</translation>
    </message>
    <message>
        <source>Source %1 of %2</source>
        <translation>Quelle %1 von %2</translation>
    </message>
    <message>
        <source>Show as curves</source>
        <translation>Als Kurven zeigen</translation>
    </message>
    <message>
        <source>Move up</source>
        <translation>Nach oben</translation>
    </message>
    <message>
        <source>It is the first</source>
        <translation>Es ist das erste</translation>
    </message>
    <message>
        <source>Move down</source>
        <translation>Nach unten</translation>
    </message>
    <message>
        <source>It is the last</source>
        <translation>Es ist das letzte</translation>
    </message>
    <message>
        <source>Duplicate the stage</source>
        <translation>Stufe verdoppeln</translation>
    </message>
    <message>
        <source>Duplicate the source</source>
        <translation>Quelle verdoppeln</translation>
    </message>
    <message>
        <source>Remove the stage</source>
        <translation>Stufe entfernen</translation>
    </message>
    <message>
        <source>Remove the source</source>
        <translation>Quelle entfernen</translation>
    </message>
    <message>
        <source>At least one is needed</source>
        <translation>Mindestens eine ist nötig</translation>
    </message>
    <message>
        <source>Every key of this section is under All.</source>
        <translation>Jeder Schlüssel dieses Abschnitts steht unter Alle.</translation>
    </message>
    <message>
        <source>No setting matches &quot;%1&quot;.</source>
        <translation>Keine Einstellung passt zu „%1“.</translation>
    </message>
    <message numerus="yes">
        <source>%n problem(s)</source>
        <translation>
            <numerusform>%n Problem</numerusform>
            <numerusform>%n Probleme</numerusform>
        </translation>
    </message>
    <message>
        <source>The text below cannot be read, so its settings are not known. Mend it there; the fields appear then.</source>
        <translation>Der Text unten ist nicht lesbar, seine Einstellungen sind daher nicht bekannt. Dort berichtigen; dann erscheinen die Felder.</translation>
    </message>
    <message>
        <source>Look at the data</source>
        <translation>Daten ansehen</translation>
    </message>
    <message>
        <source>The first documents of each source, and what is dropped and why</source>
        <translation>Die ersten Dokumente jeder Quelle, und was warum verworfen wird</translation>
    </message>
    <message>
        <source>Differs from where the draft began</source>
        <translation>Anders als am Anfang des Entwurfs</translation>
    </message>
</context>
<context>
    <name>tessera::ui::SpecTab</name>
    <message>
        <source>Spec as run</source>
        <translation>Spec wie gelaufen</translation>
    </message>
    <message>
        <source>Key</source>
        <translation>Schlüssel</translation>
    </message>
    <message>
        <source>This run</source>
        <translation>Dieser Lauf</translation>
    </message>
    <message>
        <source>Preset</source>
        <translation>Vorlage</translation>
    </message>
    <message>
        <source>Differences from the preset</source>
        <translation>Abweichungen von der Vorlage</translation>
    </message>
    <message>
        <source>absent</source>
        <translation>fehlt</translation>
    </message>
    <message>
        <source>The spec names no preset to compare with.</source>
        <translation>Die Spec nennt keine Vorlage zum Vergleich.</translation>
    </message>
    <message>
        <source>Nothing differs from the preset %1.</source>
        <translation>Nichts weicht von der Vorlage %1 ab.</translation>
    </message>
    <message>
        <source>Differs from the preset %1 as it is now:</source>
        <translation>Weicht von der Vorlage %1 ab, wie sie jetzt ist:</translation>
    </message>
</context>
<context>
    <name>tessera::ui::SpecText</name>
    <message>
        <source>Text of the spec</source>
        <translation>Text der Spec</translation>
    </message>
</context>
<context>
    <name>tessera::ui::StatusLine</name>
    <message>
        <source>Copy the command of this page</source>
        <translation>Befehl dieser Seite kopieren</translation>
    </message>
    <message>
        <source>CPU</source>
        <translation>CPU</translation>
    </message>
    <message>
        <source>Memory</source>
        <translation>Speicher</translation>
    </message>
    <message>
        <source>GPU</source>
        <translation>GPU</translation>
    </message>
    <message>
        <source>The same in a terminal</source>
        <translation>Dasselbe im Terminal</translation>
    </message>
    <message>
        <source>Logs</source>
        <translation>Protokolle</translation>
    </message>
    <message>
        <source>The command is in the clipboard</source>
        <translation>Der Befehl ist in der Zwischenablage</translation>
    </message>
    <message>
        <source>Processor: %1 busy, %2 threads</source>
        <translation>Prozessor: %1 ausgelastet, %2 Threads</translation>
    </message>
    <message>
        <source>Memory: %1 of %2</source>
        <translation>Speicher: %1 von %2</translation>
    </message>
    <message>
        <source>%1: %2 busy, %3 of %4</source>
        <translation>%1: %2 ausgelastet, %3 von %4</translation>
    </message>
    <message>
        <source>This machine</source>
        <translation>Dieser Rechner</translation>
    </message>
    <message>
        <source>%1: no run is going</source>
        <translation>%1: kein Lauf im Gang</translation>
    </message>
    <message numerus="yes">
        <source>%1: %n run(s) going, last word %2</source>
        <translation>
            <numerusform>%1: %n Lauf im Gang, letztes Wort %2</numerusform>
            <numerusform>%1: %n Läufe im Gang, letztes Wort %2</numerusform>
        </translation>
    </message>
    <message>
        <source>Tasks</source>
        <translation>Aufgaben</translation>
    </message>
    <message numerus="yes">
        <source>%n task(s)</source>
        <translation>
            <numerusform>%n Aufgabe</numerusform>
            <numerusform>%n Aufgaben</numerusform>
        </translation>
    </message>
    <message>
        <source>No problems</source>
        <translation>Keine Probleme</translation>
    </message>
    <message numerus="yes">
        <source>%n problem(s)</source>
        <translation>
            <numerusform>%n Problem</numerusform>
            <numerusform>%n Probleme</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>tessera::ui::StudioApp</name>
    <message>
        <source>&quot;%1&quot; names no place: use run/ID?view=PAGE&amp;step=N or page/PAGE</source>
        <translation>„%1“ ist kein Ort: run/ID?view=SEITE&amp;step=N oder page/SEITE</translation>
    </message>
    <message>
        <source>The studio was open already: this is it</source>
        <translation>Das Studio war schon offen: das ist es</translation>
    </message>
</context>
<context>
    <name>tessera::ui::SweepLines</name>
    <message>
        <source>Runs over all keys, the loss at the right</source>
        <translation>Läufe über alle Schlüssel, rechts der Loss</translation>
    </message>
    <message>
        <source>%1 (log)</source>
        <translation>%1 (log)</translation>
    </message>
</context>
<context>
    <name>tessera::ui::SweepModel</name>
    <message>
        <source>Run</source>
        <translation>Lauf</translation>
    </message>
    <message>
        <source>State</source>
        <translation>Zustand</translation>
    </message>
    <message>
        <source>Steps</source>
        <translation>Schritte</translation>
    </message>
    <message>
        <source>Loss</source>
        <translation>Loss</translation>
    </message>
    <message>
        <source>Validation</source>
        <translation>Validierung</translation>
    </message>
    <message>
        <source>Stopped because</source>
        <translation>Angehalten, weil</translation>
    </message>
</context>
<context>
    <name>tessera::ui::SweepPoints</name>
    <message>
        <source>Final loss against one key</source>
        <translation>Loss am Ende über einem Schlüssel</translation>
    </message>
    <message>
        <source>%1 (log)</source>
        <translation>%1 (log)</translation>
    </message>
</context>
<context>
    <name>tessera::ui::SweepView</name>
    <message>
        <source>No run of this sweep has begun. They wait in the queue.</source>
        <translation>Noch hat kein Lauf dieser Reihe begonnen. Sie warten in der Warteschlange.</translation>
    </message>
    <message>
        <source>A sweep makes many runs of one spec that differ in a few keys, and compares what came of them.</source>
        <translation>Eine Reihe macht aus einer Spec viele Läufe, die sich in wenigen Schlüsseln unterscheiden, und vergleicht, was aus ihnen wurde.</translation>
    </message>
    <message>
        <source>New sweep</source>
        <translation>Neue Reihe</translation>
    </message>
    <message>
        <source>Sweep</source>
        <translation>Reihe</translation>
    </message>
    <message>
        <source>Compare curves</source>
        <translation>Kurven vergleichen</translation>
    </message>
    <message>
        <source>Show all</source>
        <translation>Alle zeigen</translation>
    </message>
    <message>
        <source>Takes away what was chosen along the axes (Escape)</source>
        <translation>Nimmt zurück, was auf den Achsen gewählt wurde (Escape)</translation>
    </message>
    <message>
        <source>Save</source>
        <translation>Sichern</translation>
    </message>
    <message>
        <source>Table as CSV</source>
        <translation>Tabelle als CSV</translation>
    </message>
    <message>
        <source>Charts as a picture</source>
        <translation>Diagramme als Bild</translation>
    </message>
    <message>
        <source>Runs of the sweep</source>
        <translation>Läufe der Reihe</translation>
    </message>
    <message>
        <source>No run of it has begun</source>
        <translation>Noch hat kein Lauf davon begonnen</translation>
    </message>
    <message>
        <source>%1 of %2 runs are shown</source>
        <translation>%1 von %2 Läufen sind zu sehen</translation>
    </message>
    <message>
        <source>%1 of %2 runs have begun</source>
        <translation>%1 von %2 Läufen haben begonnen</translation>
    </message>
    <message>
        <source>%1 wait</source>
        <translation>%1 warten</translation>
    </message>
    <message>
        <source>after %1 steps a run above the median of the others is stopped</source>
        <translation>nach %1 Schritten wird ein Lauf über dem Median der anderen angehalten</translation>
    </message>
    <message>
        <source>from %1 steps on the worse half is stopped at each rung</source>
        <translation>ab %1 Schritten wird auf jeder Stufe die schlechtere Hälfte angehalten</translation>
    </message>
    <message>
        <source>none is stopped for falling behind</source>
        <translation>keiner wird angehalten, weil er zurückfällt</translation>
    </message>
    <message numerus="yes">
        <source>%n run(s) of the sweep %1 wait in the queue</source>
        <translation>
            <numerusform>%n Lauf der Reihe %1 wartet in der Warteschlange</numerusform>
            <numerusform>%n Läufe der Reihe %1 warten in der Warteschlange</numerusform>
        </translation>
    </message>
    <message>
        <source>Save the charts</source>
        <translation>Diagramme sichern</translation>
    </message>
    <message>
        <source>Save the sweep&apos;s table</source>
        <translation>Tabelle der Reihe sichern</translation>
    </message>
    <message>
        <source>Picture (*.png)</source>
        <translation>Bild (*.png)</translation>
    </message>
    <message>
        <source>CSV (*.csv)</source>
        <translation>CSV (*.csv)</translation>
    </message>
    <message>
        <source>%1 cannot be written: %2</source>
        <translation>%1 kann nicht geschrieben werden: %2</translation>
    </message>
    <message>
        <source>Saved %1</source>
        <translation>%1 gesichert</translation>
    </message>
</context>
<context>
    <name>tessera::ui::TasksPanel</name>
    <message>
        <source>Nothing runs in the background.</source>
        <translation>Im Hintergrund läuft nichts.</translation>
    </message>
</context>
<context>
    <name>tessera::ui::TemplateDialog</name>
    <message>
        <source>special token %1</source>
        <translation>besonderes Token %1</translation>
    </message>
    <message>
        <source>token %1</source>
        <translation>Token %1</translation>
    </message>
    <message>
        <source>What the model reads</source>
        <translation>Was das Modell liest</translation>
    </message>
    <message>
        <source>Tokens of the conversation</source>
        <translation>Tokens des Gesprächs</translation>
    </message>
    <message>
        <source>Copy as text</source>
        <translation>Als Text kopieren</translation>
    </message>
    <message>
        <source>Asking the model</source>
        <translation>Das Modell wird gefragt</translation>
    </message>
    <message>
        <source>Shown are the last %1.</source>
        <translation>Gezeigt sind die letzten %1.</translation>
    </message>
    <message>
        <source>%1 tokens, %2 of them special. The ground changes with each token; special tokens, which only the template writes, have a colour.</source>
        <translation>%1 Tokens, davon %2 besondere. Der Grund wechselt mit jedem Token; besondere Tokens, die nur die Vorlage schreibt, haben eine Farbe.</translation>
    </message>
</context>
<context>
    <name>tessera::ui::TimeScrubber</name>
    <message>
        <source>Play through the logged steps</source>
        <translation>Die geloggten Schritte abspielen</translation>
    </message>
    <message>
        <source>One logged step back</source>
        <translation>Ein geloggter Schritt zurück</translation>
    </message>
    <message>
        <source>One logged step forward</source>
        <translation>Ein geloggter Schritt vor</translation>
    </message>
    <message>
        <source>Newest</source>
        <translation>Neuester</translation>
    </message>
    <message>
        <source>Stay at the newest logged step while the run goes on</source>
        <translation>Beim neuesten geloggten Schritt bleiben, während der Lauf weitergeht</translation>
    </message>
    <message>
        <source>Logged step</source>
        <translation>Geloggter Schritt</translation>
    </message>
    <message>
        <source>Only one step has been logged so far.</source>
        <translation>Bisher ist nur ein Schritt geloggt.</translation>
    </message>
    <message>
        <source>Stop playing</source>
        <translation>Abspielen anhalten</translation>
    </message>
</context>
<context>
    <name>tessera::ui::TimelinePlot</name>
    <message>
        <source>Forward</source>
        <translation>Vorwärts</translation>
    </message>
    <message>
        <source>Backward</source>
        <translation>Rückwärts</translation>
    </message>
    <message>
        <source>Weights</source>
        <translation>Gewichte</translation>
    </message>
    <message>
        <source>All-to-all</source>
        <translation>All-to-all</translation>
    </message>
    <message>
        <source>Sums</source>
        <translation>Summen</translation>
    </message>
    <message>
        <source>Send</source>
        <translation>Senden</translation>
    </message>
    <message>
        <source>Wait</source>
        <translation>Warten</translation>
    </message>
    <message>
        <source>Optimiser</source>
        <translation>Optimierer</translation>
    </message>
    <message>
        <source>Other</source>
        <translation>Anderes</translation>
    </message>
    <message>
        <source>Ranks over time</source>
        <translation>Ränge über die Zeit</translation>
    </message>
    <message>
        <source>rank %1</source>
        <translation>Rang %1</translation>
    </message>
    <message>
        <source>idle %1</source>
        <translation>%1 untätig</translation>
    </message>
    <message>
        <source>rank %1 · idle</source>
        <translation>Rang %1 · untätig</translation>
    </message>
    <message>
        <source>step %1</source>
        <translation>Schritt %1</translation>
    </message>
    <message>
        <source>stage %1</source>
        <translation>Stufe %1</translation>
    </message>
    <message>
        <source>micro-batch %1</source>
        <translation>Mikro-Batch %1</translation>
    </message>
    <message>
        <source>from %1</source>
        <translation>ab %1</translation>
    </message>
    <message>
        <source>for %1</source>
        <translation>für %1</translation>
    </message>
</context>
<context>
    <name>tessera::ui::TimelineTab</name>
    <message>
        <source>Show all</source>
        <translation>Alle zeigen</translation>
    </message>
    <message>
        <source>The whole time (0)</source>
        <translation>Die ganze Zeit (0)</translation>
    </message>
    <message>
        <source>The trace is %1</source>
        <translation>Der Trace ist %1</translation>
    </message>
    <message>
        <source>The timeline cannot be shown: %1</source>
        <translation>Der Zeitverlauf kann nicht gezeigt werden: %1</translation>
    </message>
    <message>
        <source>%1 recorded. Ranks are idle for %2 of it on average, rank %3 most (%4): they wait, or do nothing.</source>
        <translation>%1 aufgezeichnet. Ränge sind davon im Mittel %2 untätig, Rang %3 am meisten (%4): Sie warten oder tun nichts.</translation>
    </message>
    <message>
        <source>Show the trace file</source>
        <translation>Trace-Datei zeigen</translation>
    </message>
    <message>
        <source>Opens the folder with the trace, timeline.json, which ui.perfetto.dev opens</source>
        <translation>Öffnet den Ordner mit der Trace-Datei timeline.json, die ui.perfetto.dev öffnet</translation>
    </message>
    <message>
        <source>No program opens folders here. The trace&apos;s path is on the clipboard: %1</source>
        <translation>Kein Programm öffnet hier Ordner. Der Pfad der Trace-Datei ist in der Zwischenablage: %1</translation>
    </message>
    <message>
        <source>There is no timeline here. `tessera train SPEC --timeline FILE` records what the ranks do in the first ten steps; one of more than %1 MiB is in FILE alone.</source>
        <translation>Hier ist kein Zeitverlauf. `tessera train SPEC --timeline FILE` zeichnet auf, was die Ränge in den ersten zehn Schritten tun; einer von mehr als %1 MiB steht nur in FILE.</translation>
    </message>
</context>
<context>
    <name>tessera::ui::Toast</name>
    <message>
        <source>Undo</source>
        <translation>Rückgängig</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>Schließen</translation>
    </message>
</context>
<context>
    <name>tessera::ui::TokenView</name>
    <message>
        <source>Tokens of the answer; left and right pick one</source>
        <translation>Tokens der Antwort; links und rechts wählen eines</translation>
    </message>
    <message>
        <source>“%1”, probability %2</source>
        <translation>„%1“, Wahrscheinlichkeit %2</translation>
    </message>
</context>
<context>
    <name>tessera::ui::UsageMap</name>
    <message>
        <source>Experts of the selection against the whole conversation</source>
        <translation>Experten der Auswahl gegen das ganze Gespräch</translation>
    </message>
    <message>
        <source>Layer %1, expert %2: %3 of the selection&apos;s picks, %4 of the conversation&apos;s</source>
        <translation>Schicht %1, Experte %2: %3 der Wahlen der Auswahl, %4 der des Gesprächs</translation>
    </message>
</context>
</TS>
