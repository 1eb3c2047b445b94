// SPDX-License-Identifier: MIT
#include "ui/pages/hosts/profile_dialog.h"

#include <QDialogButtonBox>
#include <QFormLayout>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSpinBox>
#include <QVBoxLayout>
#include <algorithm>
#include <limits>

#include "core/base/error.h"
#include "ui/bridge/launch/slurm_profiles.h"
#include "ui/theme/theme.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/engine_words.h"

namespace tessera::ui {

namespace {
constexpr int kListHeight = 52;

int spinBound(std::int64_t bound) {
  constexpr std::int64_t kMost = std::numeric_limits<int>::max();
  return static_cast<int>(std::clamp(bound, -kMost, kMost));
}
}  // namespace

ProfileDialog::ProfileDialog(SlurmProfiles& profiles, const SlurmProfile& profile, QWidget* parent)
    : QDialog(parent),
      m_profiles(profiles),
      m_given(profile),
      m_name(new QLineEdit(QString::fromStdString(profile.name), this)),
      m_problem(new TextLabel({}, theme::TextSize::Caption, this)) {
  setAttribute(Qt::WA_DeleteOnClose);
  const bool isNew = profile.name.empty();
  setWindowTitle(isNew ? tr("New profile for Slurm")
                       : tr("Profile %1").arg(QString::fromStdString(profile.name)));
  resize(560, 600);
  auto* body = new QWidget;
  auto* form = new QFormLayout(body);
  form->setFieldGrowthPolicy(QFormLayout::ExpandingFieldsGrow);
  m_name->setObjectName(QStringLiteral("profile.name"));
  m_name->setEnabled(isNew);
  m_name->setPlaceholderText(tr("gpu"));
  m_name->setToolTip(tr("By it the profile is chosen: letters, digits, - and _"));
  form->addRow(tr("Name"), m_name);
  for (const SlurmProfileKey& key : slurm_profile_keys()) addField(*form, key);
  auto* area = new ColumnArea(this);
  area->setWidget(body);
  area->setWidgetResizable(true);
  m_problem->setObjectName(QStringLiteral("profile.problem"));
  m_problem->setTone(TextLabel::Tone::Bad)->setWrapped()->setSelectable();
  auto* buttons = new QDialogButtonBox(QDialogButtonBox::Cancel, this);
  m_save = primaryButton(tr("Save"), this);
  buttons->addButton(m_save, QDialogButtonBox::AcceptRole);
  auto* column = new QVBoxLayout(this);
  column->addWidget(area, 1);
  column->addWidget(m_problem);
  column->addWidget(buttons);
  connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::close);
  connect(m_save, &QPushButton::clicked, this, &ProfileDialog::save);
  connect(m_name, &QLineEdit::textChanged, this, &ProfileDialog::look);
  connect(&profiles, &SlurmProfiles::saved, this, [this](const QString& name) {
    if (name.toStdString() == this->profile().name) close();
  });
  for (const auto signal : {&SlurmProfiles::refused, &SlurmProfiles::failed}) {
    connect(&profiles, signal, this, [this](const QString& message) {
      m_problem->setText(engineWord(message.toStdString()));
      m_problem->show();
      setEnabledBecause(m_save, true, {});
    });
  }
  look();
}

void ProfileDialog::addField(QFormLayout& form, const SlurmProfileKey& key) {
  QWidget* field = nullptr;
  if (const auto* text = std::get_if<std::string SlurmProfile::*>(&key.member)) {
    auto* line = new QLineEdit(QString::fromStdString(m_given.**text));
    m_takers.emplace_back([line, member = *text](SlurmProfile& profile) {
      profile.*member = line->text().trimmed().toStdString();
    });
    connect(line, &QLineEdit::textChanged, this, &ProfileDialog::look);
    field = line;
  } else if (const auto* number = std::get_if<std::int64_t SlurmProfile::*>(&key.member)) {
    auto* spin = new QSpinBox;
    spin->setRange(spinBound(key.least), spinBound(key.most));
    spin->setValue(spinBound(m_given.**number));
    spin->setFocusPolicy(Qt::StrongFocus);
    m_takers.emplace_back(
        [spin, member = *number](SlurmProfile& profile) { profile.*member = spin->value(); });
    connect(spin, &QSpinBox::valueChanged, this, &ProfileDialog::look);
    field = spin;
  } else {
    const auto member = std::get<std::vector<std::string> SlurmProfile::*>(key.member);
    auto* lines = new QPlainTextEdit;
    QStringList texts;
    for (const std::string& one : m_given.*member) texts << QString::fromStdString(one);
    lines->setPlainText(texts.join(u'\n'));
    lines->setFixedHeight(kListHeight);
    lines->setTabChangesFocus(true);
    m_takers.emplace_back([lines, member](SlurmProfile& profile) {
      (profile.*member).clear();
      for (const QString& one : lines->toPlainText().split(u'\n')) {
        if (!one.trimmed().isEmpty()) (profile.*member).push_back(one.trimmed().toStdString());
      }
    });
    connect(lines, &QPlainTextEdit::textChanged, this, &ProfileDialog::look);
    field = lines;
  }
  field->setObjectName(QStringLiteral("profile.") + QString::fromLatin1(key.name));
  field->setToolTip(engineWord(key.help));
  field->setAccessibleName(QString::fromLatin1(key.name));
  form.addRow(QString::fromLatin1(key.name), field);
}

SlurmProfile ProfileDialog::profile() const {
  SlurmProfile profile = m_given;
  profile.name = m_name->text().trimmed().toStdString();
  for (const auto& take : m_takers) take(profile);
  return profile;
}

void ProfileDialog::look() {
  QString problem;
  try {
    check_slurm_profile(profile());
  } catch (const Error& error) {
    problem = engineWord(error.what_failed());
    if (!error.hint().empty()) problem += QStringLiteral("; ") + engineWord(error.hint());
  }
  m_problem->setText(problem);
  m_problem->setVisible(!problem.isEmpty());
  const bool named = !m_name->text().trimmed().isEmpty();
  if (m_save) {
    setEnabledBecause(m_save, problem.isEmpty() && named,
                      named ? problem : tr("Give it a name first"));
  }
}

void ProfileDialog::save() {
  setEnabledBecause(m_save, false, tr("It is being saved"));
  m_profiles.save(profile(), !m_given.name.empty());
}

}  // namespace tessera::ui
